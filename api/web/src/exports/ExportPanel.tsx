import { Download } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Job } from "../api";
import { useStore } from "../app/store";
import { bytes } from "../i18n";
import { nameOf } from "../jobs/progress";
import { useJob } from "../jobs/useJobs";
import { Button } from "../ui/Button";
import { Check } from "../ui/Check";
import { Field } from "../ui/Field";
import { LinkButton } from "../ui/LinkButton";
import { Select } from "../ui/Select";
import form from "../work/Form.module.css";
import { sourcesOf, stemFiles } from "../work/heard";
import { useWork } from "../work/useWork";
import { WorkPanel } from "../work/WorkPanel";
import { startedOf, works } from "../work/works";
import styles from "./ExportPanel.module.css";
import { t } from "./strings";

const TARGETS = ["stem.mp4", "reaper", "ardour", "dawproject", "zip", "samples"] as const;
const CODECS = ["alac", "aac"] as const;
const BARS = { min: 1, max: 64 };
const BPM = { min: 20, max: 400 };
const SUM = /^(no|minus)_/; // beside its parts it would sound twice
type Target = (typeof TARGETS)[number];

/** Puts the job's stems into projects and packs. */
export default function ExportPanel({ job }: { job: Job }) {
  const work = useWork(job.id, "export");
  return (
    <WorkPanel work={work} form={<AskExport job={job} work={work} />}>
      {(made) => <Exported job={made} />}
    </WorkPanel>
  );
}

function Exported({ job }: { job: Job }) {
  return (
    <section className={styles.made} aria-label={t("made")}>
      <h3>{t("made")}</h3>
      <ul>
        {Object.entries(job.files).map(([name, file]) => (
          <li key={name}>
            <LinkButton
              out
              href={file.url}
              download={file.filename}
              aria-label={t("get", { name: file.filename })}
              icon={<Download aria-hidden="true" />}
            >
              {`${file.filename} (${bytes(file.bytes)})`}
            </LinkButton>
          </li>
        ))}
      </ul>
    </section>
  );
}

function tracksOf(job: Job): string[] {
  const stems = [...stemFiles(job)];
  const parts = stems.filter(([stem]) => !SUM.test(stem));
  return (parts.length > 1 ? parts : stems).map(([, output]) => output);
}

function AskExport({ job, work }: { job: Job; work: ReturnType<typeof useWork<"export">> }) {
  const analysis = useJob(startedOf(useStore(works), job.id, "analyze")?.id ?? null).data;
  const told = analysis?.state === "succeeded" && analysis.files.analysis ? analysis.id : null;
  const [targets, setTargets] = useState<readonly Target[]>(["dawproject"]);
  const [title, setTitle] = useState(nameOf(job));
  const [bpm, setBpm] = useState("");
  const [codec, setCodec] = useState<(typeof CODECS)[number]>("alac");
  const [bars, setBars] = useState("4");
  const [marked, setMarked] = useState(true);
  const toggle = (target: Target, on: boolean) =>
    setTargets(TARGETS.filter((one) => (one === target ? on : targets.includes(one))));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (targets.length === 0) return;
    work.start({
      body: {
        ...sourcesOf(job, tracksOf(job)),
        targets: [...targets],
        title: title.trim(),
        codec,
        bars: Number(bars) || 4,
        ...(bpm ? { bpm: Number(bpm) } : {}),
        ...(told && marked ? { analysis: { job_id: told, output: "analysis" } } : {}),
      },
    });
  };
  return (
    <form className={form.form} onSubmit={submit}>
      <p className={form.note}>{t("lead")}</p>
      <fieldset className={form.set}>
        <legend>{t("targets")}</legend>
        <div className={form.checks}>
          {TARGETS.map((target) => (
            <Check key={target} checked={targets.includes(target)} onChange={(on) => toggle(target, on)}>
              {t(`target.${target}`)}
            </Check>
          ))}
        </div>
      </fieldset>
      {targets.length === 0 ? <p role="alert">{t("targets.none")}</p> : null}
      <div className={form.grid}>
        <Field label={t("title")} hint={t("title.hint")}>
          {(control) => (
            <input {...control} maxLength={200} value={title} onChange={(event) => setTitle(event.target.value)} />
          )}
        </Field>
        <Figure label={t("bpm")} limits={BPM} value={bpm} onChange={setBpm} />
        {targets.includes("stem.mp4") ? (
          <Select
            label={t("codec")}
            value={codec}
            options={CODECS}
            text={(one) => t(`codec.${one}`)}
            onChange={setCodec}
          />
        ) : null}
        {targets.includes("samples") ? (
          <Figure label={t("bars")} limits={BARS} value={bars} onChange={setBars} whole />
        ) : null}
      </div>
      {told ? (
        <Check checked={marked} onChange={setMarked}>
          {t("analysis")}
        </Check>
      ) : null}
      <div className={form.actions}>
        <Button type="submit" look="main" disabled={work.starting || targets.length === 0}>
          {t("start")}
        </Button>
      </div>
    </form>
  );
}

interface FigureProps {
  label: string;
  limits: { min: number; max: number };
  value: string;
  onChange: (value: string) => void;
  whole?: boolean;
}

function Figure({ label, limits, value, onChange, whole = false }: FigureProps) {
  return (
    <Field label={label}>
      {(control) => (
        <input
          {...control}
          {...limits}
          type="number"
          inputMode={whole ? "numeric" : "decimal"}
          step={whole ? 1 : "any"}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
