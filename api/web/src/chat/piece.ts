import { answer, client, type Job, Problem, type Schemas } from "../api";

export type Output = Schemas["WorkflowFile"];

/** A file of a workflow that is heard, and what it is called here. */
export interface Part {
  label: string;
  workflowId: string;
  output: string;
}

const AUDIO = /^audio\/(?!midi)/;

export function isHeard(file: Output): boolean {
  return AUDIO.test(file.content_type);
}

/** What an output is called: its stem, if no other output has the same one, else as much of its name as tells it apart. */
export function labelOf(name: string, outputs: Record<string, Output>): string {
  const tail = (key: string) => key.split(".").at(-1) ?? key;
  const ways = [(key: string) => outputs[key]?.stem ?? tail(key), tail];
  const others = Object.keys(outputs).filter((key) => key !== name);
  const way = ways.find((each) => others.every((key) => each(key) !== each(name)));
  const words = (way?.(name) ?? name).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The outputs of a workflow that can be heard, as parts. */
export function partsOf(workflowId: string, outputs: Record<string, Output>): Part[] {
  return Object.entries(outputs)
    .filter(([, file]) => isHeard(file))
    .map(([output]) => ({ label: labelOf(output, outputs), workflowId, output }));
}

const workflowOf = (id: string) =>
  answer(client.GET("/v1/workflows/{workflow_id}", { params: { path: { workflow_id: id } } }));
const jobOf = (id: string) => answer(client.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id } } }));

/** All parts as stems of one job, which is what the player's engine plays: together, sample by sample. Throws Problem. */
export async function readPiece(parts: readonly Part[]): Promise<Job> {
  const ids = [...new Set(parts.map((part) => part.workflowId))];
  const workflows = new Map(await Promise.all(ids.map(async (id) => [id, await workflowOf(id)] as const)));
  const found = parts.flatMap(({ label, workflowId, output }) => {
    const file = workflows.get(workflowId)?.outputs[output];
    return file ? [{ label, file }] : [];
  });
  const [first] = found;
  if (!first || found.length < parts.length) throw new Problem("storage_missing", "a file is gone");
  const base = await jobOf(first.file.job_id);
  const files = Object.fromEntries(found.map(({ label, file }) => [label, { ...file, stem: label }]));
  return { ...base, id: `chat-${ids.join("-")}`, preview: null, peaks: null, files, stems: files };
}
