import type { Job, JobSummary, Schemas } from "../api";
import { fractionOf, progressWords } from "../jobs/progress";
import { Bar } from "../ui/Bar";
import { stepWords } from "../workflows/strings";
import styles from "./Card.module.css";
import { kindWords, t } from "./strings";

interface Props {
  steps: readonly Schemas["WorkflowStep"][];
  /** what they make */
  name: string;
}

/** Each step of what runs: its state, and of the job that is at work its stage, with a bar where the stage has a figure. */
export function Steps({ steps, name }: Props) {
  if (steps.length === 0) return null;
  return (
    <ol className={styles.steps} aria-label={t("progress.steps")}>
      {steps.map((step) => {
        const running = step.jobs.find((job) => job.state === "running");
        const kind = kindWords(step.do);
        return (
          <li key={step.id} data-stage={running?.progress.stage}>
            {`${kind}: ${running ? progressWords(running) : stepWords(step.state)}`}
            {running ? <StageBar job={running} label={t("progress", { name: `${name}, ${kind}` })} /> : null}
          </li>
        );
      })}
    </ol>
  );
}

function StageBar({ job, label }: { job: Job | JobSummary; label: string }) {
  return <Bar value={fractionOf(job)} label={label} text={progressWords(job)} />;
}
