import type { Job } from "../api";
import { useStore } from "../app/store";
import { useJob } from "../jobs/useJobs";
import { useJsonFile } from "../work/fetchJson";
import { startedOf, works } from "../work/works";

export interface Span {
  start: number;
  end: number;
  label: string;
}

/** What an analysis tells, as its job's facts have it. What can't be said is null; so are lists too long for facts. */
export interface Analysis {
  duration_seconds: number;
  bpm: number | null;
  bpm_candidates: readonly { bpm: number; score: number }[];
  steady: boolean | null;
  time_signature: string | null;
  beats: readonly number[] | null;
  downbeats: readonly number[] | null;
  key: string | null;
  camelot: string | null;
  open_key: string | null;
  tuning_hz: number | null;
  chords: readonly Span[] | null;
  sections: readonly Span[] | null;
  loudness: { integrated_lufs: number | null; range_lu: number | null; true_peak_dbtp: number | null };
  clipping?: { samples?: number } | null;
  stereo?: { correlation: number | null; width: number | null } | null;
  stems?: string;
}

const LISTS = ["beats", "downbeats", "chords", "sections"] as const;
export const NO_CHORD = "N";

/** The job's facts, if they are those of an analysis. */
function told(facts: Job["facts"] | undefined): Analysis | null {
  const found = facts as Partial<Analysis> | undefined;
  return typeof found?.duration_seconds === "number" && "downbeats" in found ? (found as Analysis) : null;
}

/** What an analysis job found; lists that are too long for its facts come from its file. */
export function useFound(job: Job | undefined): Analysis | null {
  const brief = told(job?.facts) ?? told((job?.facts as { analysis?: Job["facts"] } | undefined)?.analysis);
  const short = brief !== null && LISTS.some((list) => brief[list] === null);
  const { data } = useJsonFile<Analysis>(job, "analysis", short);
  return data ?? brief;
}

/** The analysis of a song by the job that plays it: its own, else the one that was made of it here. */
export function useAnalysisOf(job: Job): Analysis | null {
  const started = startedOf(useStore(works), job.id, "analyze");
  const { data } = useJob(started?.id ?? null);
  const own = useFound(job);
  const made = useFound(data);
  return made ?? own;
}

/** The span that holds a moment, by halving: songs of hours have thousands. */
export function spanAt(spans: readonly Span[], at: number): Span | null {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle] as Span).end <= at) low = middle + 1;
    else high = middle;
  }
  const found = spans[low];
  return found && found.start <= at ? found : null;
}

/** The numbers of the first of `times` that is not before `from`, and of the first that is after `to`. */
export function within(times: readonly number[], from: number, to: number): [number, number] {
  const first = (least: number) => {
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] as number) < least) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [first(from), first(to + 1e-9)];
}
