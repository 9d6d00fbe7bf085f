import { type FormEvent, useState } from "react";
import type { Job } from "../api";
import { playing } from "../app/playing";
import { useStore } from "../app/store";
import { Button } from "../ui/Button";
import { Disclosure } from "../ui/Disclosure";
import { Select } from "../ui/Select";
import { Share } from "../ui/Share";
import form from "../work/Form.module.css";
import { ALL, choicesOf, FromChoice, HEARD, tracksOf } from "../work/FromChoice";
import { SongPicker, type Source } from "../work/SongPicker";
import { useServed } from "../work/served";
import { t as words } from "../work/strings";
import { useWork } from "../work/useWork";
import { WorkPanel } from "../work/WorkPanel";
import MasterView from "./MasterView";
import { t } from "./strings";

const PRESETS = ["streaming", "apple", "cd", "club", "broadcast", "podcast", "none"] as const;
const FORMATS = ["wav", "flac", "mp3", "aac", "opus"] as const;

/** Has the job's song mastered, or one's mix of it. */
export default function MasterPanel({ job }: { job: Job }) {
  const work = useWork(job.id, "master");
  return (
    <WorkPanel work={work} form={<AskMaster job={job} work={work} />}>
      {(made) => <MasterView job={made} />}
    </WorkPanel>
  );
}

function AskMaster({ job, work }: { job: Job; work: ReturnType<typeof useWork<"master">> }) {
  const served = useServed();
  useStore(playing); // what it plays is one of the choices, once it is there
  const [chosen, setFrom] = useState<string | null>(null);
  const [preset, setPreset] = useState<(typeof PRESETS)[number]>("streaming");
  const [intensity, setIntensity] = useState(0.5);
  const [format, setFormat] = useState<(typeof FORMATS)[number]>("wav");
  const [reference, setReference] = useState<Source | null>(null);
  const [silent, setSilent] = useState(false);
  const from = chosen ?? choicesOf(job)[0] ?? "";
  const mixes = from === ALL || from === HEARD;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const tracks = tracksOf(job, from);
    setSilent(tracks.tracks?.length === 0);
    if (tracks.tracks?.length === 0) return;
    const body = { source: { job_id: job.id, output: from }, preset, intensity, format };
    const exact = format === "wav" || format === "flac" ? { bit_depth: "24" } : {};
    work.start({ body: { ...body, ...exact, ...(reference ? { reference } : {}) }, ...tracks });
  };
  return (
    <form className={form.form} onSubmit={submit}>
      <FromChoice job={job} value={from} onChange={setFrom} />
      {silent ? <p role="alert">{words("from.none")}</p> : null}
      <div className={form.grid}>
        <Select
          label={t("preset")}
          value={preset}
          options={PRESETS}
          text={(one) => t(`preset.${one}`)}
          onChange={setPreset}
        />
        <Share
          label={t("intensity")}
          hint={t("intensity.hint")}
          value={intensity}
          text={(percent) => t("intensity.text", { percent })}
          onChange={setIntensity}
        />
        <Select
          label={t("format")}
          hint={format === "wav" || format === "flac" ? undefined : t("format.lossy")}
          value={format}
          options={FORMATS}
          text={(one) => one.toUpperCase()}
          onChange={setFormat}
        />
      </div>
      <Disclosure title={t("reference")}>
        <p className={form.note}>{t("reference.hint")}</p>
        <SongPicker onChange={setReference} />
      </Disclosure>
      <div className={form.actions}>
        <Button type="submit" look="main" disabled={work.starting || (mixes && !served?.has("mix"))}>
          {t("start")}
        </Button>
      </div>
    </form>
  );
}
