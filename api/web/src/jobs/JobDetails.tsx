import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Job } from "../api";
import { clock, moment, number, span } from "../i18n";
import { Card } from "../ui/Card";
import { State } from "../ui/State";
import styles from "./JobDetails.module.css";
import { t } from "./strings";
import { Timeline } from "./Timeline";

/** How the job was made, and what happened to it. */
export function JobDetails({ job }: { job: Job }) {
  return (
    <div className={styles.details}>
      <Card title={t("details")} actions={<State state={job.state} />}>
        <dl className={styles.facts}>
          {facts(job).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </Card>
      <Card title={t("timeline.title")}>
        <Timeline job={job} />
      </Card>
    </div>
  );
}

function facts(job: Job): [string, ReactNode][] {
  const { source } = job;
  const said: [string, ReactNode][] = [];
  if (job.model) said.push([t("fact.model"), job.model]);
  said.push([t("fact.formats"), job.formats.map((format) => format.toUpperCase()).join(", ")]);
  if (source) {
    said.push([t("fact.length"), clock(source.duration_seconds)]);
    const { codec, sample_rate: rate, channels } = source;
    said.push([t("fact.source"), t("source.facts", { codec, rate: number(rate / 1000), channels })]);
  }
  if (job.source_url) said.push([t("fact.link"), job.source_url]);
  said.push([t("fact.created"), moment(job.created_at)]);
  if (job.started_at && job.finished_at) {
    said.push([t("fact.took"), span((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)]);
  }
  said.push([t("fact.attempts"), t("progress.attempt", { attempt: job.attempt, most: job.max_attempts })]);
  said.push([t("fact.pool"), job.pool]);
  if (job.retry_of)
    said.push([
      t("fact.retry_of"),
      <Link key="of" href={`/app/jobs/${job.retry_of}`}>
        {job.retry_of.slice(0, 8)}
      </Link>,
    ]);
  if (job.manifest) {
    said.push([
      t("fact.kind"),
      <a key="manifest" href={job.manifest.url} download={job.manifest.filename}>
        {t("download.manifest")}
      </a>,
    ]);
  }
  said.push([t("fact.id"), <code key="id">{job.id}</code>]);
  if (job.cached) said.push(["", t("fact.cached")]);
  return said;
}
