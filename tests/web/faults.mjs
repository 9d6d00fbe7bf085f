// What goes wrong, and what the page says and does then.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chooseFile, press } from "./browser.mjs";
import { SONG, until } from "./stack.mjs";

async function send(stack, fields) {
  const form = new FormData();
  form.append("file", new Blob([readFileSync(SONG)]), "song.flac");
  for (const [name, value] of Object.entries({ model: "demo", ...fields })) form.append(name, value);
  const answer = await fetch(`${stack.url}/v1/separations`, { method: "POST", body: form });
  assert.equal(answer.status, 201);
  return (await answer.json()).id;
}

async function a_killed_worker_is_told_and_the_job_starts_again(world) {
  const id = await send(world.stack, { shifts: "2", cache: "false" });
  const page = await world.open(`/app/jobs/${id}`);
  await until("some progress", async () => {
    const job = await world.stack.get(`/v1/jobs/${id}`);
    return job.state === "running" && job.progress.fraction > 0;
  });
  const workers = world.stack.pids("worker");
  assert.ok(workers.length > 0);
  for (const pid of workers) process.kill(pid, "SIGKILL");
  await page.getByText(/Started again after a fault: attempt 2 of/).waitFor({ timeout: 120_000 });
  await page.getByRole("heading", { name: "Files" }).waitFor({ timeout: 120_000 });
}

async function a_restarted_api_is_told_and_the_stream_goes_on(world) {
  const page = await world.open("/app/jobs");
  await page.getByRole("link", { name: "song", exact: true }).waitFor();
  const [master] = world.stack.pids("api");
  process.kill(master, "SIGKILL");
  await page.getByText(/The service can't be reached|No live updates right now/).waitFor();
  await page.getByText(/The service can't be reached|No live updates right now/).waitFor({ state: "detached" });
  const id = await send(world.stack, {}); // told by the stream that came back
  await page.locator(`a[href="/app/jobs/${id}"]`).waitFor();
}

async function an_upload_waits_while_the_network_is_away_and_goes_on_by_itself(world) {
  const page = await world.open("/");
  await chooseFile(page, SONG, () => page.context().setOffline(true));
  await page.getByText("The service can't be reached.", { exact: true }).waitFor();
  await page.context().setOffline(false);
  await page.getByText(/· Ready$/).waitFor();
  await press(page, "Remove mixture.flac");
}

async function a_large_upload_goes_on_where_it_was_cut(world) {
  const path = join(world.stack.folder, "long.wav");
  const bytes = 40 * 1024 * 1024;
  writeFileSync(path, wav(bytes));
  const page = await world.open("/");
  const sent = [];
  page.on("request", (request) => {
    const part = /part-0*(\d+)\?/.exec(request.url());
    if (part && request.method() === "PUT") sent.push(Number(part[1]));
  });
  let whole = false;
  await page.route(/part-00002/, (route) => {
    if (whole) return route.continue();
    whole = true;
    return route.abort("connectionreset");
  });
  const asked = page.waitForResponse((response) => response.url().endsWith("/v1/uploads"));
  await chooseFile(page, path);
  await page.getByText(/· Ready$/).waitFor();
  assert.deepEqual(sent, [1, 2, 2, 3]);

  // it is taken as it was: its last second is there
  await page.getByRole("button", { name: "Remove long.wav" }).waitFor();
  const { upload_id } = await (await asked).json();
  const body = JSON.stringify({ source: { upload_id }, stems: ["vocals"], start: 236.7, end: 237.7 });
  const headers = { "Content-Type": "application/json" };
  const made = await fetch(`${world.stack.url}/v1/separations:from-source`, { method: "POST", headers, body });
  assert.equal(made.status, 201);
  const { id } = await made.json();
  const job = await until("the job's end", async () => {
    const found = await world.stack.get(`/v1/jobs/${id}`);
    return ["succeeded", "failed"].includes(found.state) && found;
  });
  assert.equal(job.state, "succeeded");
  assert.equal(job.source.frames, 44100);
  await press(page, "Remove long.wav");
}

/** A wav of noise of so many bytes. */
function wav(bytes) {
  const file = Buffer.alloc(bytes);
  const head = [
    0x46464952,
    bytes - 8,
    0x45564157,
    0x20746d66,
    16,
    0x20001,
    44100,
    176400,
    0x100004,
    0x61746164,
    bytes - 44,
  ];
  head.forEach((word, index) => file.writeUInt32LE(word, 4 * index));
  for (let at = 44; at < bytes; at += 4) file.writeInt32LE(((at * 2654435761) % 0x7fffffff) | 0, at);
  return file;
}

async function the_shell_opens_without_a_network(world) {
  const page = await world.open("/");
  await page.evaluate(() => navigator.serviceWorker.ready);
  await until("the kept page", () =>
    page.evaluate(async () => (await caches.keys()).some((name) => name.startsWith("stemsvc-page-"))),
  );
  await page.reload(); // under the service worker's control
  await page.context().setOffline(true);
  await page.goto(`${world.stack.url}/app/jobs`);
  await page
    .getByText(/The service can't be reached/)
    .first()
    .waitFor();
  await page.context().setOffline(false);
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
}

async function a_job_that_failed_says_why_and_what_to_do(world) {
  const form = new FormData();
  form.append("file", new Blob(["this is no music at all, only words"]), "words.txt");
  const answer = await fetch(`${world.stack.url}/v1/separations`, { method: "POST", body: form });
  const { id } = await answer.json();
  world.failedId = id;
  const page = await world.open(`/app/jobs/${id}`);
  await page.getByText("This file is not audio.").first().waitFor();
  await page.getByRole("button", { name: "Choose another file" }).waitFor();
  await page.getByText("Details").first().click();
  await page.getByText("not_audio", { exact: true }).waitFor();
}

export const tests = [
  a_killed_worker_is_told_and_the_job_starts_again,
  a_restarted_api_is_told_and_the_stream_goes_on,
  an_upload_waits_while_the_network_is_away_and_goes_on_by_itself,
  a_large_upload_goes_on_where_it_was_cut,
  the_shell_opens_without_a_network,
  a_job_that_failed_says_why_and_what_to_do,
];
