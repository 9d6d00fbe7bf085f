import type { Problem } from "../api";
import type { JobOptions } from "./options";

/**
 * waiting: for its turn · uploading · held: its bytes are with the service, or it is a link · submitting: its job is
 * being made · pausing: tried again at `retryAt` · failed · submitted: it is a job
 */
export type Phase = "waiting" | "uploading" | "held" | "submitting" | "pausing" | "failed" | "submitted";

/** A song on its way to being a job. */
export interface Song {
  readonly id: string;
  readonly name: string;
  readonly source: { readonly file: File } | { readonly url: string };
  /** length by the browser; null where it can't tell */
  readonly seconds: number | null;
  /** the model that it was made for; null: the one that the reader chooses */
  readonly model: string | null;
  readonly phase: Phase;
  readonly uploadId: string | null;
  readonly sent: number;
  /** bytes a second; null while nobody knows */
  readonly rate: number | null;
  /** times that the bytes were sent */
  readonly tries: number;
  /** what to do with it once it is here; null until the reader said so */
  readonly options: JobOptions | null;
  readonly problem: Problem | null;
  readonly retryAt: number | null;
  readonly jobId: string | null;
}

export function sizeOf(song: Song): number | null {
  return "file" in song.source ? song.source.file.size : null;
}
