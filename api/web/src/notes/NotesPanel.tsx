import { type FormEvent, useState } from "react";
import type { Job } from "../api";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { Select } from "../ui/Select";
import { Share } from "../ui/Share";
import form from "../work/Form.module.css";
import { sourcesOf, stemFiles } from "../work/heard";
import { useWork } from "../work/useWork";
import { WorkPanel } from "../work/WorkPanel";
import NotesView from "./NotesView";
import { t } from "./strings";

const GRIDS = ["off", "1/4", "1/8", "1/8t", "1/16", "1/16t", "1/32"] as const;
const BPM = { min: 20, max: 400 };
const MOST_TRACKS = 16;
const SUM = /^(no|minus)_/; // its parts are written down by themselves

/** Has the notes of the job's stems written down. */
export default function NotesPanel({ job }: { job: Job }) {
  const work = useWork(job.id, "transcribe");
  return (
    <WorkPanel work={work} form={<AskNotes job={job} work={work} />}>
      {(made) => <NotesView job={made} of={job.id} />}
    </WorkPanel>
  );
}

/** The stems whose notes are written down: no sums, and nothing that is left over. */
function tracksOf(job: Job): string[] {
  const stems = [...stemFiles(job)];
  const parts = stems.filter(([stem]) => !SUM.test(stem) && stem !== "residual");
  return (parts.length > 0 ? parts : stems).map(([, output]) => output).slice(0, MOST_TRACKS);
}

function AskNotes({ job, work }: { job: Job; work: ReturnType<typeof useWork<"transcribe">> }) {
  const [quantise, setQuantise] = useState<(typeof GRIDS)[number]>("off");
  const [sensitivity, setSensitivity] = useState(0.5);
  const [bpm, setBpm] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const tempo = bpm ? { bpm: Number(bpm) } : {};
    work.start({ body: { ...sourcesOf(job, tracksOf(job)), quantise, sensitivity, ...tempo } });
  };
  return (
    <form className={form.form} onSubmit={submit}>
      <p className={form.note}>{t("lead")}</p>
      <div className={form.grid}>
        <Select
          label={t("quantise")}
          value={quantise}
          options={GRIDS}
          text={(grid) => (grid === "off" ? t("quantise.off") : grid)}
          onChange={setQuantise}
        />
        <Share
          label={t("sensitivity")}
          hint={t("sensitivity.hint")}
          value={sensitivity}
          text={(percent) => t("sensitivity.text", { percent })}
          onChange={setSensitivity}
        />
        <Field label={t("bpm")}>
          {(control) => (
            <input
              {...control}
              type="number"
              inputMode="decimal"
              step="any"
              {...BPM}
              value={bpm}
              onChange={(event) => setBpm(event.target.value)}
            />
          )}
        </Field>
      </div>
      <div className={form.actions}>
        <Button type="submit" look="main" disabled={work.starting}>
          {t("start")}
        </Button>
      </div>
    </form>
  );
}
