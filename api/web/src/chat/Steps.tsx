import type { Schemas } from "../api";
import { progressWords } from "../jobs/progress";
import { stepWords } from "../workflows/strings";
import styles from "./Card.module.css";
import { kindWords, t } from "./strings";

/** Each step of what runs: its state, and the stage and figure of the job that is at work. */
export function Steps({ steps }: { steps: readonly Schemas["WorkflowStep"][] }) {
  if (steps.length === 0) return null;
  return (
    <ol className={styles.steps} aria-label={t("progress.steps")}>
      {steps.map((step) => {
        const running = step.jobs.find((job) => job.state === "running");
        return (
          <li key={step.id} data-state={step.state}>
            {`${kindWords(step.do)}: ${running ? progressWords(running) : stepWords(step.state)}`}
          </li>
        );
      })}
    </ol>
  );
}
