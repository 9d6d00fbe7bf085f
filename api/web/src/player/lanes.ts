/** What the player shows a lane for. */

import type { Job, Stem } from "../api";

export interface Lane {
  stem: string;
  /** its name in the job's `files` */
  key: string;
  file: Stem;
}

const SOUND = /^audio\/(?!midi)/;
const WHOLE = "mix"; // where its parts are there too, it would sound twice
const BEST = ["wav", "flac", "mp3", "aac", "opus"];

/** One file for each stem that can be heard: of several formats the one that browsers play best. */
export function lanes(job: Job): Lane[] {
  const found = new Map<string, Lane>();
  const rank = (file: Stem) => BEST.indexOf(file.format ?? job.format ?? "");
  for (const [key, file] of Object.entries(job.files ?? {})) {
    if (!SOUND.test(file.content_type)) continue;
    const stem = file.stem ?? key;
    const known = found.get(stem);
    if (!known || rank(file) < rank(known.file)) found.set(stem, { stem, key, file });
  }
  if (found.size > 1) found.delete(WHOLE);
  return [...found.values()];
}
