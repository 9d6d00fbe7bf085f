import { type FormEvent, useState } from "react";
import type { Job } from "../api";
import { playing } from "../app/playing";
import { useStore } from "../app/store";
import { number } from "../i18n";
import { Button } from "../ui/Button";
import { Disclosure } from "../ui/Disclosure";
import { Field } from "../ui/Field";
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
        <Field label={t("preset")}>
          {(control) => (
            <select
              {...control}
              value={preset}
              onChange={(event) => setPreset(PRESETS.find((one) => one === event.target.value) ?? "streaming")}
            >
              {PRESETS.map((one) => (
                <option key={one} value={one}>
                  {t(`preset.${one}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={`${t("intensity")}: ${number(intensity * 100, 0)} %`} hint={t("intensity.hint")}>
          {(control) => (
            <input
              {...control}
              type="range"
              min={0}
              max={1}
              step={0.05}
              value={intensity}
              aria-valuetext={t("intensity.text", { percent: Math.round(intensity * 100) })}
              onChange={(event) => setIntensity(event.target.valueAsNumber)}
            />
          )}
        </Field>
        <Field label={t("format")} hint={format === "wav" || format === "flac" ? undefined : t("format.lossy")}>
          {(control) => (
            <select
              {...control}
              value={format}
              onChange={(event) => setFormat(FORMATS.find((one) => one === event.target.value) ?? "wav")}
            >
              {FORMATS.map((one) => (
                <option key={one} value={one}>
                  {one.toUpperCase()}
                </option>
              ))}
            </select>
          )}
        </Field>
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
