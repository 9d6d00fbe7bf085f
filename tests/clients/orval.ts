// The main job by orval, whose client has the server's address in it.
import { readFile, writeFile } from "node:fs/promises";
import { createSeparation, getJob } from "./orval/client";

const [, song = "", target = ""] = process.argv.slice(2);

async function main(): Promise<void> {
  const file = new File([await readFile(song)], "song.flac");
  const refused = await createSeparation({ file, stems: "kazoo" });
  if (refused.status !== 422 || refused.data.code !== "unknown_stem") throw new Error(JSON.stringify(refused));

  const made = await createSeparation({ file, stems: "vocals" });
  if (made.status !== 201) throw new Error(made.data.detail);
  let job = made.data;
  while (job.state === "queued" || job.state === "running") {
    const seen = await getJob(job.id, { headers: { Prefer: "wait=20" } });
    if (seen.status !== 200) throw new Error(seen.data.detail);
    job = seen.data;
  }
  const vocals = job.stems["vocals"];
  if (job.state !== "succeeded" || !vocals) throw new Error(JSON.stringify(job));
  await writeFile(target, Buffer.from(await (await fetch(vocals.url)).arrayBuffer()));
}

void main();
