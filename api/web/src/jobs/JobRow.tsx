import { Link } from "wouter";
import type { JobSummary } from "../api";
import { ago, clock, moment } from "../i18n";
import { said } from "../problems/known";
import { Bar } from "../ui/Bar";
import { State } from "../ui/State";
import styles from "./JobRow.module.css";
import { fractionOf, nameOf, progressWords, waitWords } from "./progress";
import { t } from "./strings";
import { LIVE } from "./useJobs";

/** A job in a list: its name leads to its page. */
export function JobRow({ job }: { job: JobSummary }) {
  const live = LIVE.has(job.state);
  const facts = [job.model, job.duration_seconds ? clock(job.duration_seconds) : "", job.stems.join(", ")];
  return (
    <li className={styles.row}>
      <div className={styles.name}>
        <Link href={`/app/jobs/${job.id}`}>{nameOf(job)}</Link>
        <p className={styles.facts}>{facts.filter(Boolean).join(" · ")}</p>
      </div>
      <div className={styles.state}>
        <State state={job.state} />
        {job.error ? <p className={styles.facts}>{said(job.error.code) ?? job.error.code}</p> : null}
      </div>
      <time className={styles.when} dateTime={job.created_at} title={moment(job.created_at)}>
        {ago(job.created_at)}
      </time>
      {live ? (
        <div className={styles.progress}>
          <Bar value={fractionOf(job)} label={t("progress.label", { name: nameOf(job) })} text={progressWords(job)} />
          <p className={styles.facts}>{[progressWords(job), ...waitWords(job)].join(" · ")}</p>
        </div>
      ) : null}
    </li>
  );
}
