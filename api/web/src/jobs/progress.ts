import type { Job, JobSummary } from "../api";
import { span } from "../i18n";
import { stageWords, t } from "./strings";

/** Stages whose `fraction` says how far the work is; in the others it says nothing yet. */
const MEASURED = new Set([
  ...["separating", "encoding", "uploading", "analyzing", "counting", "exporting", "limiting", "mastering"],
  ...["measuring", "mixing", "resampling", "transcribing", "writing"],
  ...["playing", "listening"],
]);

/** How much of the attempt is done, as the api says it; null where it does not know. */
export function fractionOf(job: Job | JobSummary): number | null {
  if (job.state === "succeeded") return 1;
  if (job.state !== "running" || !MEASURED.has(job.progress.stage)) return null;
  return job.progress.fraction;
}

export function percentOf(fraction: number): number {
  return Math.floor(Math.min(1, Math.max(0, fraction)) * 100); // never above what is done
}

/** The stage and the figures of a job that lives, in words. */
export function progressWords(job: Job | JobSummary): string {
  const fraction = fractionOf(job);
  const stage = stageWords(job.progress.stage);
  return fraction === null ? stage : t("progress.percent", { stage, percent: percentOf(fraction) });
}

/** What else is known of the wait; empty where nothing is. */
export function waitWords(job: Job | JobSummary): string[] {
  const said: string[] = [];
  const eta = job.progress.eta_seconds;
  if (job.state === "running" && typeof eta === "number") said.push(t("progress.eta", { span: span(eta) }));
  if ("queue_position" in job && job.state === "queued" && typeof job.queue_position === "number") {
    said.push(t("progress.position", { count: job.queue_position }));
  }
  return said;
}

/** What a list calls the job. */
export function nameOf(job: Job | JobSummary): string {
  // a step of a workflow whose song is not made yet has no file
  return ("name" in job && job.name) || job.filename.replace(/\.[^.]{1,5}$/, "") || job.id.slice(0, 8);
}
