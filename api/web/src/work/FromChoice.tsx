import type { Job } from "../api";
import { playing } from "../app/playing";
import { useStore } from "../app/store";
import { nameOf } from "../jobs/progress";
import { Choice } from "../ui/Choice";
import { Select } from "../ui/Select";
import styles from "./Form.module.css";
import { allTracks, audioFiles, heardTracks, type Track } from "./heard";
import { t } from "./strings";

/** all: all stems as they are · heard: what the player plays · or the name of a file */
export type From = string;
export const ALL = "all";
export const HEARD = "heard";

/** The tracks to mix first, and the gain of the whole; none: the file itself is the source. */
export function tracksOf(job: Job, from: From): { tracks?: Track[]; gainDb?: number; name?: string } {
  const engine = playing.get()?.engine;
  const name = nameOf(job);
  if (from === HEARD && engine) return { tracks: heardTracks(job, engine), gainDb: engine.mix.get().masterDb, name };
  return from === ALL ? { tracks: allTracks(job), name } : {};
}

/** What of the job may be chosen; the first is what most want. */
export function choicesOf(job: Job): From[] {
  const files = audioFiles(job);
  if (job.kind !== "separate" || files.length < 2) return files;
  return playing.get()?.jobId === job.id ? [HEARD, ALL, ...files] : [ALL, ...files];
}

interface Props {
  job: Job;
  value: From;
  onChange: (from: From) => void;
}

/** What of a job to work on: a file, or stems that are mixed first. Nothing where there is no choice. */
export function FromChoice({ job, value, onChange }: Props) {
  useStore(playing);
  const choices = choicesOf(job);
  const mixed = choices.filter((one) => one === HEARD || one === ALL);
  if (choices.length < 2) return null;
  if (mixed.length === 0) {
    return <Select label={t("from.title")} value={value} options={choices} onChange={onChange} />;
  }
  const word = (one: From) => (one === HEARD ? t("from.heard") : t("from.all"));
  return (
    <Choice
      legend={t("from.title")}
      value={value}
      choices={mixed.map((one) => ({ value: one, label: word(one) }))}
      onChange={onChange}
    >
      {value === HEARD ? <p className={styles.note}>{t("from.tempo")}</p> : null}
    </Choice>
  );
}
