import type { Schemas } from "../api";

type Body = Schemas["JobRequest"];
export type Format = NonNullable<Body["format"]>;

/** What is asked of a separation, as the form has it. */
export interface JobOptions {
  /** empty: the service's default */
  model: string;
  /** all: each stem · two: vocals and all else · chosen: `stems` */
  split: "all" | "two" | "chosen";
  stems: readonly string[];
  /** one or more; the song is separated once */
  formats: readonly Format[];
  /** empty: the format's default */
  bitDepth: string;
  priority: NonNullable<Body["priority"]>;
  /** passes at random offsets; 0: one pass without */
  shifts: number;
  residual: boolean;
  /** seconds of the song at which the part begins and ends; null: its start, its end */
  start: number | null;
  end: number | null;
}

export const DEFAULTS: JobOptions = {
  model: "",
  split: "all",
  stems: [],
  formats: ["flac"],
  bitDepth: "",
  priority: "normal",
  shifts: 0,
  residual: false,
  start: null,
  end: null,
};

/** The request's body: only what differs from the service's own defaults. */
export function requestOf(options: JobOptions, source: Body["source"]): Body {
  const [format = "flac", ...more] = options.formats;
  const body: Body = more.length > 0 ? { source, formats: [format, ...more] } : { source, format };
  if (options.model) body.model = options.model;
  if (options.split === "two") body.stems = ["vocals", "no_vocals"];
  if (options.split === "chosen" && options.stems.length > 0) body.stems = [...options.stems];
  if (options.bitDepth && more.length === 0) body.bit_depth = options.bitDepth;
  if (options.priority !== "normal") body.priority = options.priority;
  if (options.shifts > 0) body.shifts = options.shifts;
  if (options.residual) body.residual = true;
  if (options.start !== null) body.start = options.start;
  if (options.end !== null) body.end = options.end;
  return body;
}

/** Options that an earlier visit left, as far as they still are some. */
export function remembered(stored: Record<string, unknown>): JobOptions {
  const known: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, fallback] of Object.entries(DEFAULTS)) {
    if (["start", "end"].includes(name)) continue; // belong to one song
    const found = stored[name];
    if (typeof found === typeof fallback && Array.isArray(found) === Array.isArray(fallback)) known[name] = found;
  }
  return known as unknown as JobOptions;
}
