import type { Schemas } from "../api";

type Step = Schemas["WorkflowStep"];

const ENDED: ReadonlySet<string> = new Set(["succeeded", "failed", "canceled", "expired"]);

export function endedJobs(step: Step): number {
  return step.jobs.filter((job) => ENDED.has(job.state)).length;
}

/** How much of a step is done, as far as the api says: each of its jobs counts alike. Null: nothing is known yet. */
export function fractionOf(step: Step): number | null {
  if (step.jobs.length === 0) return null;
  const done = step.jobs.map((job) => (ENDED.has(job.state) ? 1 : job.state === "running" ? job.progress.fraction : 0));
  return done.reduce((sum, one) => sum + one, 0) / step.jobs.length;
}
