// What else a song's page can have made of it, recipes, and workflows: by keyboard, against what the api says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { AxeBuilder, press, tabTo } from "./browser.mjs";
import { until } from "./stack.mjs";

const LONG = { timeout: 180_000 };

/** Open a tab of "Go on with this song" by keys. */
async function openTab(world, name) {
  const page = await world.open(`/app/jobs/${world.jobId}`);
  await page.getByRole("button", { name: /^Mute Drums/ }).waitFor();
  const tab = page.getByRole("tab", { name, exact: true });
  await tab.waitFor();
  await tabTo(page, /\(button\)$/); // the tabs are one stop: arrows go on from their first
  await page.getByRole("tab").first().focus();
  for (let at = 0; !(await tab.evaluate((one) => one === document.activeElement)); at += 1) {
    assert.ok(at < 8, `no arrow leads to ${name}`);
    await page.keyboard.press("ArrowRight");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("tabpanel", { name }).waitFor();
  return page;
}

async function axe(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(
    violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`),
    [],
  );
}

/** The newest job of a kind, once it has ended; it must have succeeded. */
async function made(world, kind) {
  return until(
    `a job of ${kind}`,
    async () => {
      const { jobs } = await world.stack.get(`/v1/jobs?kind=${kind}&limit=1`);
      assert.notEqual(jobs[0]?.state, "failed", JSON.stringify(jobs[0]?.error));
      if (jobs[0]?.state !== "succeeded") return null;
      return world.stack.get(`/v1/jobs/${jobs[0].id}`);
    },
    LONG.timeout,
  );
}

/** Whether something is drawn on the canvas within `region`. */
function drawn(page, region) {
  return page.getByRole("region", { name: region, exact: true }).evaluate((element) => {
    const canvas = element.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value) => value > 0);
  });
}

async function download(page, name) {
  await tabTo(page, name);
  const downloading = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  return readFileSync(await (await downloading).path());
}

async function an_analysis_stands_along_the_players_timeline(world) {
  const page = await openTab(world, "Key and beats");
  await axe(page);
  await press(page, "Find key, tempo and chords");
  const strip = page.getByRole("region", { name: "Key, chords and beats", exact: true });
  await strip.waitFor(LONG);
  const { id, facts } = await made(world, "analyze");
  assert.equal(facts.stems, "given", "key and chords come from the separation's stems");
  assert.ok((await strip.innerText()).includes(`${Math.round(facts.bpm * 10) / 10} BPM`));
  assert.ok((await strip.innerText()).includes(facts.camelot));
  await until("the strip's picture", () => drawn(page, "Key, chords and beats"));
  const [strips, ruler] = await Promise.all(
    [strip, page.getByRole("group", { name: "Drums" }).locator("canvas")].map((one) => one.boundingBox()),
  );
  assert.ok(Math.abs(strips.x - ruler.x) < 1 && Math.abs(strips.width - ruler.width) < 1, "strip and lanes are one timeline");
  // a chord of the table leads the player there
  await press(page, "Chords as a table");
  await press(page, "Go to");
  const first = facts.chords[0].start;
  await page.waitForFunction(
    (at) => Math.abs(Number(document.querySelector('input[type=range][aria-label="Position"]').value) - at) < 0.6,
    first,
  );
  await axe(page);
  world.screens.push(`/app/jobs/${id}`);
}

async function a_mix_is_mastered_and_compared_at_equal_loudness(world) {
  const page = await openTab(world, "Master");
  await press(page, "Mute Vocals");
  await axe(page);
  await press(page, "Master it");
  await page.getByRole("region", { name: "Compare", exact: true }).waitFor(LONG);
  const master = await made(world, "master");
  const [source] = master.inputs;
  const mix = await world.stack.get(`/v1/jobs/${source.job_id}`);
  assert.equal(mix.kind, "mix");
  assert.deepEqual(
    mix.inputs.map((input) => input.output),
    ["drums", "bass", "other"],
    "what is muted is not in the mix",
  );
  const { before, after } = master.facts;
  const apart = Math.abs(before.loudness_lufs - after.loudness_lufs);
  const said = await page.getByText(/is turned down by/).innerText();
  assert.ok(Math.abs(Number(/by ([\d.]+) dB/.exec(said)[1]) - apart) <= 0.051, `${said}; the facts say ${apart}`);
  await press(page, "Play (");
  const clock = () => page.getByLabel("Position", { exact: true }).last().evaluate((slider) => Number(slider.value));
  await until("sound", async () => (await clock()) > 0.3);
  await tabTo(page, "Master (input)", "Shift+Tab");
  await page.keyboard.press("ArrowLeft"); // to the original, while it plays
  assert.ok(await page.getByRole("radio", { name: "Original" }).isChecked());
  const then = await clock();
  await until("it goes on", async () => (await clock()) > then + 0.2);
  await press(page, "Pause (");
  await axe(page);
  world.screens.push(`/app/jobs/${master.id}`);
}

async function notes_are_written_down_shown_and_taken_home(world) {
  const page = await openTab(world, "Notes");
  await axe(page);
  await press(page, "Write down the notes");
  await page.getByRole("region", { name: "Piano roll", exact: true }).waitFor(LONG);
  const { id, facts } = await made(world, "transcribe");
  await until("the roll's picture", () => drawn(page, "Piano roll"));
  const table = page.getByRole("table", { name: "Notes of each stem" });
  for (const [stem, count] of Object.entries(facts.notes)) {
    const row = table.getByRole("row").filter({ hasText: new RegExp(`^${stem}`, "i") });
    assert.ok((await row.innerText()).includes(count.toLocaleString("en")), `${stem} has ${count} notes`);
  }
  const midi = await download(page, "Download All as one MIDI file");
  assert.equal(midi.subarray(0, 4).toString("latin1"), "MThd");
  await press(page, "Notes of this part as a table");
  await page.getByRole("table", { name: "Notes of this part as a table" }).waitFor();
  await axe(page);
  world.screens.push(`/app/jobs/${id}`);
}

async function stems_are_exported_as_they_were_asked_for(world) {
  const page = await openTab(world, "Export");
  await tabTo(page, "REAPER project");
  await page.keyboard.press("Space");
  await axe(page);
  await press(page, "Export (button)");
  await page.getByRole("region", { name: "Exported", exact: true }).waitFor(LONG);
  const { files, params } = await made(world, "export");
  assert.deepEqual(params.targets, ["reaper", "dawproject"]);
  for (const file of Object.values(files)) {
    const zip = await download(page, `Download ${file.filename}`);
    assert.equal(zip.length, file.bytes);
    assert.equal(zip.subarray(0, 2).toString("latin1"), "PK");
  }
  await axe(page);
}

async function a_recipe_is_filled_in_and_its_workflow_followed_to_its_files(world) {
  const { recipes } = await world.stack.get("/v1/recipes");
  const karaoke = recipes.find((recipe) => recipe.name === "karaoke");
  const page = await world.open("/app/recipes");
  await page.getByRole("heading", { name: karaoke.title, exact: true }).waitFor();
  const card = page.getByRole("listitem").filter({ hasText: karaoke.summary });
  await card.getByRole("button", { name: "Use it" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText(`${karaoke.title}: options`).waitFor();
  await tabTo(page, "Model");
  await page.keyboard.type("demo");
  await page.getByRole("radio", { name: "An earlier job" }).focus();
  await page.keyboard.press("Space");
  await page.getByLabel("Job", { exact: true }).selectOption(world.jobId);
  await page.getByLabel("File of it").selectOption("other");
  await axe(page);
  await press(page, `Start ${karaoke.title}`);
  await page.waitForURL(/\/app\/workflows\/\w+$/);
  const id = new URL(page.url()).pathname.split("/").at(-1);
  await page.getByRole("list", { name: "Steps in words" }).waitFor();
  await axe(page);
  const flow = await until(
    "the workflow",
    async () => {
      const now = await world.stack.get(`/v1/workflows/${id}`);
      return now.state === "running" ? null : now;
    },
    LONG.timeout,
  );
  assert.equal(flow.state, "succeeded", JSON.stringify(flow.error));
  for (const name of Object.keys(flow.outputs)) await page.getByRole("link", { name: `Download ${name}` }).waitFor();
  const [name, file] = Object.entries(flow.outputs)[0];
  assert.equal((await download(page, `Download ${name}`)).length, file.bytes);
  await press(page, "Decisions");
  assert.ok((await page.getByRole("table", { name: "Decisions" }).getByRole("row").count()) > 1);
  world.screens.push("/app/recipes", `/app/workflows/${id}`);
}

async function a_workflow_is_canceled_tried_again_and_deleted(world) {
  const body = {
    name: "Twice",
    source: { job_id: world.jobId, output: "other" },
    steps: [
      { id: "split", do: "separate", with: { model: "demo", shifts: 8, cache: false } },
      { id: "notes", do: "transcribe", inputs: { source: "split" } },
    ],
  };
  const answer = await fetch(`${world.stack.url}/v1/workflows`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const { id, code, detail } = await answer.json();
  assert.equal(answer.status, 201, `${code} ${detail}`);
  const page = await world.open(`/app/workflows/${id}`);
  await page.getByText(/Waiting for earlier steps · needs split/).waitFor();
  await press(page, "Cancel");
  await page.getByText("Canceled", { exact: true }).first().waitFor();
  await press(page, "Try again from what failed");
  await page.waitForURL((url) => !url.pathname.endsWith(id));
  await page.getByRole("link", { name: "Tries an earlier workflow again" }).waitFor();
  await press(page, "Delete (button)");
  await press(page, "Delete for good");
  await page.waitForURL(/\/app\/recipes$/);
  await page.getByRole("link", { name: "Twice" }).first().waitFor();
}

export const tests = [
  an_analysis_stands_along_the_players_timeline,
  a_mix_is_mastered_and_compared_at_equal_loudness,
  notes_are_written_down_shown_and_taken_home,
  stems_are_exported_as_they_were_asked_for,
  a_recipe_is_filled_in_and_its_workflow_followed_to_its_files,
  a_workflow_is_canceled_tried_again_and_deleted,
];
