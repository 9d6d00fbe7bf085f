import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Job, JobSummary, Schemas } from "../api";

type Progress = Schemas["Progress"];
type Workflow = Schemas["Workflow"];
type Lists = InfiniteData<Schemas["JobPage"]>;

interface Told extends Partial<Progress> {
  job_id: string;
  attempt?: number;
  job?: JobSummary;
}

function parsed(data: unknown): Told | null {
  try {
    const told: unknown = JSON.parse(String(data));
    return typeof told === "object" && told !== null && "job_id" in told ? (told as Told) : null;
  } catch {
    return null; // a stream that was cut within a line
  }
}

function mapJobs(lists: Lists, change: (job: JobSummary) => JobSummary): Lists {
  return { ...lists, pages: lists.pages.map((page) => ({ ...page, jobs: page.jobs.map(change) })) };
}

const hasJob = (workflow: Workflow | undefined, id: string) =>
  workflow?.steps.some((step) => step.jobs.some((job) => job.id === id)) ?? false;

/** A job moved: it is read again, and so are the lists, which may gain or lose it. */
export function tookMove(queries: QueryClient, data: unknown): void {
  const told = parsed(data);
  if (!told) return;
  const { job } = told;
  if (job) {
    queries.setQueriesData<Lists>(
      { queryKey: ["jobs"] },
      (lists) => lists && mapJobs(lists, (each) => (each.id === job.id ? job : each)),
    );
  }
  void queries.invalidateQueries({ queryKey: ["job", told.job_id] });
  void queries.invalidateQueries({ queryKey: ["jobs"] });
  void queries.invalidateQueries({
    queryKey: ["workflow"],
    predicate: (query) => hasJob(query.state.data as Workflow | undefined, told.job_id),
  });
}

/** A job got on: the figures of the event, as they are, stand wherever the job is shown. */
export function tookProgress(queries: QueryClient, data: unknown): void {
  const told = parsed(data);
  if (!told || typeof told.fraction !== "number" || typeof told.stage !== "string") return;
  const progress: Progress = { fraction: told.fraction, stage: told.stage, eta_seconds: told.eta_seconds ?? null };
  const step = <J extends Job | JobSummary>(job: J): J => ({ ...job, progress, attempt: told.attempt ?? job.attempt });
  queries.setQueryData<Job>(["job", told.job_id], (job) => job && step(job));
  queries.setQueriesData<Lists>(
    { queryKey: ["jobs"] },
    (lists) => lists && mapJobs(lists, (job) => (job.id === told.job_id ? step(job) : job)),
  );
  queries.setQueriesData<Workflow>({ queryKey: ["workflow"] }, (workflow) => {
    if (!workflow || !hasJob(workflow, told.job_id)) return workflow;
    const own = (job: Schemas["StepJob"]) => (job.id === told.job_id ? step(job) : job);
    return { ...workflow, steps: workflow.steps.map((each) => ({ ...each, jobs: each.jobs.map(own) })) };
  });
}
