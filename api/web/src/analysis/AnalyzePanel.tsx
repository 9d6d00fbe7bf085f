import { type FormEvent, useState } from "react";
import type { Job } from "../api";
import { Button } from "../ui/Button";
import { Select } from "../ui/Select";
import form from "../work/Form.module.css";
import { ALL, choicesOf, FromChoice, HEARD, tracksOf } from "../work/FromChoice";
import { stemFiles } from "../work/heard";
import { useServed } from "../work/served";
import { useWork } from "../work/useWork";
import { WorkPanel } from "../work/WorkPanel";
import AnalysisView, { Found } from "./AnalysisView";
import { useFound } from "./analysis";
import { t } from "./strings";

const STEMS = ["auto", "always", "never"] as const;
const CLICKS = ["none", "alone", "mixed"] as const;

/** Whether the job has a sound without drums, in which key and chords are heard best. */
function helps(job: Job): boolean {
  const stems = [...stemFiles(job).keys()];
  if (stems.includes("no_drums") || stems.includes("minus_drums")) return true;
  const parts = stems.filter((stem) => stem !== "drums" && stem !== "residual" && !/^(no|minus)_/.test(stem));
  return parts.includes("bass") && parts.length > 1;
}

/** Has the job's song analysed: the sum of its stems, with the stems beside it. */
export default function AnalyzePanel({ job }: { job: Job }) {
  const own = useFound(job);
  const work = useWork(job.id, "analyze");
  if (own && !work.started) return <Found found={own} of={job.id} />;
  const ask = <AskAnalysis job={job} work={work} />;
  return (
    <WorkPanel work={work} form={ask}>
      {(made) => (job.kind === "separate" ? <FoundIn job={made} of={job.id} /> : <AnalysisView job={made} />)}
    </WorkPanel>
  );
}

function FoundIn({ job, of }: { job: Job; of: string }) {
  const found = useFound(job);
  return found ? <Found found={found} of={of} /> : null;
}

function AskAnalysis({ job, work }: { job: Job; work: ReturnType<typeof useWork<"analyze">> }) {
  const served = useServed();
  // what a player's sliders do to a song says nothing of the song
  const choices = choicesOf(job).filter((one) => one !== HEARD);
  const [from, setFrom] = useState(choices[0] ?? ALL);
  const [stems, setStems] = useState<(typeof STEMS)[number]>("auto");
  const [click, setClick] = useState<(typeof CLICKS)[number]>("none");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const beside = from === ALL && helps(job) && stems !== "never" ? { stems: { job_id: job.id } } : {};
    const body = { source: { job_id: job.id, output: from }, use_stems: stems, click, ...beside };
    work.start({ body, ...tracksOf(job, from) });
  };
  return (
    <form className={form.form} onSubmit={submit}>
      <p className={form.note}>{t("lead")}</p>
      <div className={form.grid}>
        {choices[0] === ALL ? null : <FromChoice job={job} value={from} onChange={setFrom} />}
        <Select
          label={t("stems")}
          hint={t("stems.hint")}
          value={stems}
          options={STEMS}
          text={(one) => t(`stems.${one}`)}
          onChange={setStems}
        />
        <Select
          label={t("click")}
          value={click}
          options={CLICKS}
          text={(one) => t(`click.${one}`)}
          onChange={setClick}
        />
      </div>
      <div className={form.actions}>
        <Button type="submit" look="main" disabled={work.starting || (from === ALL && !served?.has("mix"))}>
          {t("start")}
        </Button>
      </div>
    </form>
  );
}
