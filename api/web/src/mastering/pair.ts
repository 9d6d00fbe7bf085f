import { answer, client, type Job } from "../api";

export const SIDES = ["original", "master"] as const;
export type Side = (typeof SIDES)[number];

/** The file that a master was made of, and where the api has it; null where it was sent and is kept nowhere. */
export function originalOf(master: Job): { job_id: string; output: string } | null {
  const input = master.inputs.find((one) => one.role === "source");
  return input?.job_id && input.output ? { job_id: input.job_id, output: input.output } : null;
}

/** Both as stems of one job, which is what the player's engine plays: sample by sample together. */
export function pairOf(master: Job, original: Job, output: string): Job | null {
  const made = master.files.master;
  const from = original.files[output];
  if (!made || !from) return null;
  const files = {
    original: { ...from, stem: "original", format: from.format ?? original.format },
    master: { ...made, stem: "master", format: made.format ?? master.format },
  };
  return { ...master, id: `pair-${master.id}`, preview: null, peaks: null, files, stems: files };
}

const read = (id: string) => answer(client.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id } } }));

/** The pair with fresh URLs. Throws Problem, and Error where a file is gone. */
export async function readPair(masterId: string, originalId: string, output: string): Promise<Job> {
  const pair = pairOf(await read(masterId), await read(originalId), output);
  if (!pair) throw new Error("a file is gone");
  return pair;
}
