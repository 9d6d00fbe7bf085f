import type { Job } from "../api";

type Level = number | null;

export const FIGURES = [
  "loudness_lufs",
  "range_lu",
  "momentary_max_lufs",
  "short_term_max_lufs",
  "true_peak_db",
  "peak_db",
  "rms_db",
  "width",
] as const;

type Figures = Partial<Record<(typeof FIGURES)[number], Level>>;

/** What a master's job tells. */
export interface MasterFacts {
  preset?: string;
  intensity?: number;
  before: Figures;
  after: Figures;
  stages?: readonly {
    stage: string;
    parameters: Record<string, unknown>;
    rms_in_db: Level;
    rms_out_db: Level;
  }[];
  target_lufs?: Level;
  ceiling_db?: Level;
  gain_db?: number;
  limiter?: { most_reduction_db: number; share_of_time: number };
}

export function factsOf(job: Job): MasterFacts | null {
  const found = job.facts as Partial<MasterFacts> | undefined;
  return found?.before && found.after ? (found as MasterFacts) : null;
}

/** Gains in dB that make both equally loud: the louder one is turned down, so that nothing clips. Null: not known. */
export function equalGains({ before, after }: MasterFacts): { original: number; master: number } | null {
  const [original, master] = [before.loudness_lufs, after.loudness_lufs];
  if (original == null || master == null) return null;
  const least = Math.min(original, master);
  return { original: least - original, master: least - master };
}
