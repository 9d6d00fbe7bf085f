// The main job by @hey-api/openapi-ts.
import { readFile, writeFile } from "node:fs/promises";
import { createSeparation, getJob } from "./hey";
import { client } from "./hey/client.gen";

const [url = "", song = "", target = ""] = process.argv.slice(2);
client.setConfig({ baseUrl: url });

async function main(): Promise<void> {
  const file = new File([await readFile(song)], "song.flac");
  const refused = await createSeparation({ body: { file, stems: "kazoo" } });
  if (refused.error?.code !== "unknown_stem") throw new Error(JSON.stringify(refused.error));

  const { data, error } = await createSeparation({ body: { file, stems: "vocals" } });
  if (!data) throw new Error(error.detail);
  let job = data;
  while (job.state === "queued" || job.state === "running") {
    const seen = await getJob({ path: { job_id: job.id }, headers: { Prefer: "wait=20" } });
    if (!seen.data) throw new Error(JSON.stringify(seen.error));
    job = seen.data;
  }
  const vocals = job.stems["vocals"];
  if (job.state !== "succeeded" || !vocals) throw new Error(JSON.stringify(job));
  await writeFile(target, Buffer.from(await (await fetch(vocals.url)).arrayBuffer()));
}

void main();
