// The main job by openapi-typescript and openapi-fetch.
import { readFile, writeFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

const [url = "", song = "", target = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url });

async function separate(stems: string) {
  const file = new Blob([await readFile(song)]);
  return client.POST("/v1/separations", {
    body: { file: "song.flac", stems }, // nothing else is required
    bodySerializer(body) {
      const form = new FormData();
      form.append("file", file, body.file);
      form.append("stems", body.stems ?? "");
      return form;
    },
  });
}

async function main(): Promise<void> {
  const refused = await separate("kazoo");
  const code: components["schemas"]["ErrorCode"] | undefined = refused.error?.code;
  if (code !== "unknown_stem") throw new Error(`refused with ${code}`);

  const { data, error } = await separate("vocals");
  if (!data) throw new Error(error.detail);
  let job = data;
  while (job.state === "queued" || job.state === "running") {
    const params = { path: { job_id: job.id }, header: { Prefer: "wait=20" } };
    const seen = await client.GET("/v1/jobs/{job_id}", { params });
    if (!seen.data) throw new Error(seen.error.detail);
    job = seen.data;
  }
  const vocals = job.stems["vocals"];
  if (job.state !== "succeeded" || !vocals) throw new Error(JSON.stringify(job));
  const loudness: number | null | undefined = vocals.loudness_lufs;
  console.log(loudness);
  await writeFile(target, Buffer.from(await (await fetch(vocals.url)).arrayBuffer()));
}

void main();
