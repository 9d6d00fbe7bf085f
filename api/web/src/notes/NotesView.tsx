import { Download } from "lucide-react";
import { keyName } from "../analysis/keyName";
import type { Job } from "../api";
import { clock, number } from "../i18n";
import { QueryProblem } from "../problems/QueryProblem";
import { LinkButton } from "../ui/LinkButton";
import { Table } from "../ui/Table";
import { useJsonFile } from "../work/fetchJson";
import styles from "./NotesView.module.css";
import type { StemNotes, Transcription } from "./notes";
import { PianoRoll } from "./PianoRoll";
import { t } from "./strings";

interface Props {
  job: Job;
  /** the job whose player moves along */
  of?: string;
}

/** What was written down: the notes as a picture and in figures, and MIDI to take home. */
export default function NotesView({ job, of }: Props) {
  const { data, error, refetch } = useJsonFile<Transcription>(job, "notes");
  if (error) return <QueryProblem error={error} onRetry={() => void refetch()} />;
  if (!data) return null;
  const tempo = data.tempo === "unknown" ? t("facts.unknown") : t("facts", { bpm: number(data.bpm) });
  const rows = data.stems.map((stem) => ({ key: stem.name, cells: [...summary(stem), link(job, stem.name)] }));
  return (
    <div className={styles.view}>
      <p className={styles.facts}>
        {[tempo, data.time_signature, data.key && keyName(data.key)].filter(Boolean).join(" · ")}
      </p>
      <PianoRoll found={data} of={of} />
      <section className={styles.summary}>
        <h3>{t("summary")}</h3>
        <Table label={t("summary")} head={[t("stem"), t("count"), t("range"), t("time"), t("midi")]} rows={rows} />
        <div>{link(job, "all", t("get.all"), "main")}</div>
      </section>
    </div>
  );
}

function summary({ name, notes }: StemNotes): string[] {
  const [first, last] = [notes[0], notes.at(-1)];
  if (!first || !last) return [name, "0", "–", "–"];
  const sorted = [...notes].sort((a, b) => a.pitch - b.pitch);
  const range = `${sorted[0]?.name} – ${sorted.at(-1)?.name}`;
  return [name, number(notes.length), range, `${clock(first.start)} – ${clock(last.end)}`];
}

function link(job: Job, name: string, words = t("get.stem", { stem: name }), look: "quiet" | "main" = "quiet") {
  const file = job.files[name];
  if (!file) return "–";
  return (
    <LinkButton
      out
      look={look}
      href={file.url}
      download={file.filename}
      aria-label={t("get", { name: words })}
      icon={<Download aria-hidden="true" />}
    >
      {words}
    </LinkButton>
  );
}
