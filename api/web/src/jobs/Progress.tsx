import type { Job } from "../api";
import { Bar } from "../ui/Bar";
import styles from "./Progress.module.css";
import { fractionOf, nameOf, progressWords, waitWords } from "./progress";
import { t } from "./strings";

/** How far a job is: what the api says, when it says it. */
export function Progress({ job }: { job: Job }) {
  const more = [...waitWords(job), t("progress.pool", { pool: job.pool })];
  return (
    <div className={styles.progress}>
      <p className={styles.words}>{progressWords(job)}</p>
      <Bar value={fractionOf(job)} label={t("progress.label", { name: nameOf(job) })} text={progressWords(job)} />
      <p className={styles.more}>{more.join(" · ")}</p>
      {job.attempt > 1 ? (
        <p className={styles.again}>{t("progress.restarted", { attempt: job.attempt, most: job.max_attempts })}</p>
      ) : null}
    </div>
  );
}
