import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { type Job, Problem } from "../api";
import { useStore } from "../app/store";
import { useJob } from "../jobs/useJobs";
import { randomId } from "../random";
import { type Bodies, create, type Work } from "./create";
import type { Track } from "./heard";
import { forget, remember, startedOf, works } from "./works";

/** What a mix is written as: the exact sum, which any length of it can be read from by ranges. */
const EXACT = { format: "wav", bit_depth: "float32" } as const;
export const MIX = "mix";

/** A file's name for a template: without what templates and file systems take for their own. */
export function plainName(name: string): string {
  return (
    name
      .replace(/[{}\p{C}]/gu, "")
      .trim()
      .slice(0, 80) || MIX
  );
}

export interface Asked<W extends Work> {
  /** all but the source, if `tracks` are mixed first */
  body: Bodies[W];
  /** what is mixed first: its mix is the source */
  tracks?: readonly Track[];
  /** of the whole mix */
  gainDb?: number;
  /** what the mix is called */
  name?: string;
}

const problemIn = (...errors: unknown[]) => errors.find((error) => error instanceof Problem) as Problem | undefined;

/** Work that goes on from the job `of`. Where tracks are mixed first, its job is made when their mix is done. */
export function useWork<W extends Work>(of: string, work: W) {
  const queries = useQueryClient();
  const started = startedOf(useStore(works), of, work);
  const mixing = useJob(started?.id ? null : (started?.mix ?? null));
  const job = useJob(started?.id ?? null);

  const settle = (made: Job) => {
    queries.setQueryData(["job", made.id], made);
    void queries.invalidateQueries({ queryKey: ["jobs"] });
  };
  const start = useMutation({
    mutationFn: async ({ body, tracks, gainDb = 0, name = MIX, key }: Asked<W> & { key: string }) => {
      if (tracks) {
        const asked = { tracks: [...tracks], gain_db: gainDb, filename_template: `${plainName(name)} - {stem}` };
        const mix = await create("mix", { ...asked, ...EXACT }, key);
        settle(mix);
        remember({ of, work, id: null, mix: mix.id, next: { body, key: randomId() } });
      } else {
        const made = await create(work, body, key);
        settle(made);
        remember({ of, work, id: made.id });
      }
    },
  });
  const { mutate: goOn, ...next } = useMutation({
    mutationFn: async (mix: string) => {
      const planned = startedOf(works.get(), of, work);
      if (!planned?.next || planned.mix !== mix) return;
      const body = { ...planned.next.body, source: { job_id: mix, output: MIX } } as Bodies[W];
      const made = await create(work, body, planned.next.key);
      settle(made);
      remember({ of, work, id: made.id, mix });
    },
  });
  const mixed = mixing.data?.state === "succeeded" ? mixing.data.id : null;
  useEffect(() => {
    if (mixed) goOn(mixed);
  }, [mixed, goOn]);
  const gone = problemIn(job.error, mixing.error)?.code === "job_not_found";
  useEffect(() => {
    if (gone) forget(of, work);
  }, [gone, of, work]);

  return {
    started,
    /** the mix, until it is done */
    mix: started?.id ? undefined : mixing.data,
    job: job.data,
    start: (asked: Asked<W>) => start.mutate({ ...asked, key: randomId() }),
    starting: start.isPending,
    /** the same once more, which makes nothing twice */
    again: () => {
      if (start.error && start.variables) start.mutate(start.variables);
      else if (started?.mix && !started.id) goOn(started.mix);
    },
    forget: () => forget(of, work),
    problem: problemIn(start.error, next.error, gone ? null : job.error, gone ? null : mixing.error),
  };
}
