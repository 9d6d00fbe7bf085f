import { queryOptions, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, client, type Job, type JobState, Problem } from "../api";
import { useStore } from "../app/store";
import { connection } from "../events/connection";
import { randomId } from "../random";

const POLL_MS = 3000;
export const LIVE: ReadonlySet<JobState> = new Set<JobState>(["queued", "running"]);

export interface Filter {
  state?: JobState;
  model?: string;
  /** words of the song's name */
  q?: string;
  /** first and last day, as `2026-11-28` */
  since?: string;
  until?: string;
  mine?: boolean;
}

export function jobQuery(id: string) {
  return queryOptions({
    queryKey: ["job", id],
    queryFn: ({ signal }) => answer(client.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id } }, signal })),
  });
}

/** One job; null: none yet. It is asked for again every few seconds while it lives and no stream tells of it. */
export function useJob(id: string | null) {
  const polled = useStore(connection) !== "live";
  return useQuery({
    ...jobQuery(id ?? ""),
    enabled: id !== null,
    refetchInterval: ({ state }) => (polled && (!state.data || LIVE.has(state.data.state)) ? POLL_MS : false),
  });
}

/** A day's first moment here, as the api takes it; `plus` days later. */
function dayStart(day: string | undefined, plus = 0): string | undefined {
  if (!day) return undefined;
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + plus).toISOString();
}

/** Jobs by filter, newest first, page by page. */
export function useJobs(filter: Filter, limit = 25) {
  const polled = useStore(connection) !== "live";
  return useInfiniteQuery({
    queryKey: ["jobs", filter, limit],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answer(
        client.GET("/v1/jobs", {
          params: {
            query: {
              state: filter.state ? [filter.state] : undefined,
              model: filter.model || undefined,
              q: filter.q || undefined,
              mine: filter.mine || undefined,
              created_after: dayStart(filter.since),
              created_before: dayStart(filter.until, 1),
              limit,
              cursor: pageParam,
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: ({ state }) =>
      polled && state.data?.pages.some((page) => page.jobs.some((job) => LIVE.has(job.state))) ? POLL_MS : false,
  });
}

/** What can be done with a job: each call reads the job and the lists again. */
export function useJobActions(id: string) {
  const queries = useQueryClient();
  const settle = (job?: Job) => {
    if (job) queries.setQueryData(["job", job.id], job);
    void queries.invalidateQueries({ queryKey: ["jobs"] });
  };
  const path = { path: { job_id: id } };
  const cancel = useMutation({
    mutationFn: () => answer(client.POST("/v1/jobs/{job_id}/cancel", { params: path })),
    onSuccess: settle,
  });
  const retry = useMutation({
    mutationFn: () =>
      answer(
        client.POST("/v1/jobs/{job_id}/retry", { params: { ...path, header: { "Idempotency-Key": randomId() } } }),
      ),
    onSuccess: settle,
  });
  const erase = useMutation({
    mutationFn: async () => {
      const { response, error } = await client.DELETE("/v1/jobs/{job_id}", { params: path });
      if (!response.ok && response.status !== 404) {
        throw new Problem(
          error?.code ?? `http_${response.status}`,
          error?.detail ?? response.statusText,
          response.status,
        );
      }
    },
    onSuccess: () => {
      queries.removeQueries({ queryKey: ["job", id] });
      settle();
    },
  });
  return { cancel, retry, erase };
}
