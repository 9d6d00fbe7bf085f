import type { Job, Schemas } from "../api";
import type { Engine } from "../player/engine";

export type Track = Schemas["TrackForm"];

const BEST = ["wav", "flac", "mp3", "aac", "opus"];
const SUM = /^(no|minus)_/; // where its parts are there too, a sum would sound twice
const SILENT_DB = -60; // the player's least
const AUDIO = /^audio\/(?!midi)/;

/** The files that can be heard, as the job names them. */
export function audioFiles(job: Job): string[] {
  return Object.entries(job.files)
    .filter(([, file]) => AUDIO.test(file.content_type))
    .map(([name]) => name);
}

/** One file for each stem, of several formats the one that loses least. */
export function stemFiles(job: Job): Map<string, string> {
  const found = new Map<string, string>();
  const rank = (name: string) => BEST.indexOf(job.files[name]?.format ?? job.format);
  for (const name of audioFiles(job)) {
    const stem = job.files[name]?.stem ?? name;
    const known = found.get(stem);
    if (known === undefined || rank(name) < rank(known)) found.set(stem, name);
  }
  return found;
}

/** All stems as they are: their exact sum is the song, if the separation kept all of it. */
export function allTracks(job: Job): Track[] {
  const files = stemFiles(job);
  const parts = [...files.keys()].filter((stem) => !SUM.test(stem));
  const alone = parts[0] ?? [...files.keys()][0] ?? "";
  const rest = [`no_${alone}`, `minus_${alone}`].filter((stem) => files.has(stem)).slice(0, 1);
  const stems = parts.length > 1 ? parts : [alone, ...rest];
  return stems.map((stem) => ({ name: stem, source: { job_id: job.id, output: files.get(stem) } }));
}

/** What is heard of the stems: each with its level and pan, without those that are silent. */
export function heardTracks(job: Job, engine: Engine): Track[] {
  const files = stemFiles(job);
  const stems = engine.source?.stems ?? [];
  const anySolo = stems.some((stem) => engine.strip(stem).solo);
  return stems.flatMap((stem): Track[] => {
    const output = files.get(stem);
    const { db, pan, mute, solo } = engine.strip(stem);
    const silent = mute || (anySolo && !solo) || db <= SILENT_DB;
    return output && !silent ? [{ name: stem, source: { job_id: job.id, output }, gain_db: db, pan }] : [];
  });
}

/** Files of a job as the sources of a request, which names the first apart from the others. */
export function sourcesOf(job: Job, outputs: readonly string[]) {
  const [source = { job_id: job.id }, ...sources] = outputs.map((output) => ({ job_id: job.id, output }));
  return sources.length > 0 ? { source, sources } : { source };
}
