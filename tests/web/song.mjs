// A song from its choice to its stems' end.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chooseFile, press, tabTo } from "./browser.mjs";
import { PYTHON, SONG, until } from "./stack.mjs";

const HASHES =
  "import hashlib, json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]);" +
  "print(json.dumps({n: hashlib.sha256(z.read(n)).hexdigest() for n in z.namelist()}))";

/** The figure of the page's only progress bar; null where it shows none. */
function shown(page) {
  return page.evaluate(() => {
    const value = document.querySelector("main [role=progressbar]")?.getAttribute("aria-valuenow");
    return value === null || value === undefined ? null : Number(value);
  });
}

async function a_song_goes_from_the_dialog_to_its_stems_and_the_bar_is_never_ahead(world) {
  const page = await world.open("/");
  await chooseFile(page, SONG);
  await page.getByText("mixture.flac").waitFor();
  await tabTo(page, "Model");
  await page.keyboard.type("demo");
  await press(page, "Separate 1 song");
  await page.waitForURL(/\/app\/jobs\/\w+$/);
  world.jobId = new URL(page.url()).pathname.split("/").at(-1);

  await until("the stems", async () => {
    const bar = await shown(page);
    const job = await world.stack.get(`/v1/jobs/${world.jobId}`); // asked for later, so it can't be behind
    assert.ok(job.state !== "failed", JSON.stringify(job.error));
    if (bar !== null && job.state === "running") assert.ok(bar <= job.progress.fraction * 100 + 0.1, `${bar} > api`);
    return job.state === "succeeded";
  });
  await page.getByRole("heading", { name: "Files" }).waitFor();
  assert.equal(
    await page.evaluate(() => document.activeElement.tagName),
    "H1",
    "the new screen's heading has the focus",
  );
  assert.match(await page.title(), /^mixture · stemsvc$/);
}

async function the_zip_has_the_files_that_the_api_names(world) {
  const page = await world.open(`/app/jobs/${world.jobId}`);
  await page.getByRole("heading", { name: "Files" }).waitFor();
  await tabTo(page, "All files (zip");
  const downloading = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  const path = await (await downloading).path();
  const found = Object.values(JSON.parse(execFileSync(PYTHON, ["-c", HASHES, path], { encoding: "utf8" })));
  const job = await world.stack.get(`/v1/jobs/${world.jobId}`);
  const told = Object.values(job.files).map((file) => file.sha256);
  assert.equal(told.length, 4);
  for (const hash of told) assert.ok(found.includes(hash), "a stem of the zip is not the api's");
}

async function a_shared_link_shows_the_stems_to_who_has_no_key_and_nothing_else(world) {
  const page = await world.open(`/app/jobs/${world.jobId}`);
  await page.getByRole("heading", { name: "Files" }).waitFor();
  await press(page, "Share");
  await press(page, "Make a link");
  const link = await page.getByLabel("Link", { exact: true }).inputValue();
  const other = await world.open(new URL(link).pathname);
  await other.getByRole("heading", { name: "mixture", level: 1 }).waitFor();
  assert.equal(await other.getByRole("link", { name: /^Download mixture/ }).count(), 4);
  assert.equal(await other.getByRole("navigation").count(), 0);
}

async function the_list_finds_the_job_by_its_name_and_by_its_state(world) {
  const page = await world.open("/app/jobs");
  await page.getByRole("link", { name: "mixture" }).waitFor();
  await tabTo(page, "Search names");
  await page.keyboard.type("nothing of this name");
  await page.getByText("No job fits").waitFor();
  await press(page, "Clear filters");
  await page.getByRole("link", { name: "mixture" }).waitFor();
}

async function a_link_that_is_no_song_is_refused_with_words_and_a_way_on(world) {
  const page = await world.open("/");
  await tabTo(page, "Or a link to a song");
  await page.keyboard.type("http://10.1.2.3/song.mp3");
  await page.keyboard.press("Enter");
  await page.getByText("Link, fetched by the service").waitFor();
  await press(page, "Separate 1 song");
  await page.getByText("The service does not fetch from this address.").waitFor();
  await page.getByRole("button", { name: "Upload a file instead" }).waitFor();
}

export const tests = [
  a_song_goes_from_the_dialog_to_its_stems_and_the_bar_is_never_ahead,
  the_zip_has_the_files_that_the_api_names,
  a_shared_link_shows_the_stems_to_who_has_no_key_and_nothing_else,
  the_list_finds_the_job_by_its_name_and_by_its_state,
  a_link_that_is_no_song_is_refused_with_words_and_a_way_on,
];
