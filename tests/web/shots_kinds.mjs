// Pictures of the screens of the kinds, of recipes and of workflows, from a running service with the demo song.
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { launch } from "./browser.mjs";
import { ROOT, SONG, Stack, until } from "./stack.mjs";

const OUT = process.env.SHOTS ?? `${ROOT}docs/screens/`;
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const LOOKS = [
  ["", { viewport: { width: 1280, height: 860 }, colorScheme: "light" }],
  ["-dark", { viewport: { width: 1280, height: 860 }, colorScheme: "dark" }],
  ["-phone", { ...PHONE, colorScheme: "dark" }],
];
const WORKS = [
  ["analysis", "Key and beats", "Find key, tempo and chords", "Key, chords and beats"],
  ["mastering", "Master", "Master it", "Compare"],
  ["notes", "Notes", "Write down the notes", "Piano roll"],
  ["export", "Export", "Export", "Exported"],
];

async function separated(stack) {
  const form = new FormData();
  form.append("file", new Blob([await readFile(SONG)]), "Four Stems - Demo Song.flac");
  form.append("model", "demo");
  const answer = await fetch(`${stack.url}/v1/separations`, { method: "POST", body: form });
  const { id } = await answer.json();
  await until("the stems", async () => (await stack.get(`/v1/jobs/${id}`)).state === "succeeded", 600_000);
  return id;
}

async function karaoke(stack, source) {
  const answer = await fetch(`${stack.url}/v1/workflows`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      name: "Demo Song, twice",
      source,
      steps: [
        { id: "split", do: "separate", with: { model: "demo" } },
        { id: "voices", do: "separate", with: { model: "demo", stems: ["vocals"] }, inputs: { source: "split.vocals" } },
        { id: "notes", do: "transcribe", inputs: { source: ["split.bass", "split.drums"] } },
        { id: "facts", do: "analyze", inputs: { source: "split.other" } },
        { id: "loud", do: "master", inputs: { source: "voices.vocals" } },
      ],
    }),
  });
  return (await answer.json()).id;
}

/** Do the work of a tab, if it is not done, and wait for what came of it. */
async function work(page, tab, button, region) {
  await page.getByRole("tab", { name: tab, exact: true }).click();
  const panel = page.getByRole("tabpanel");
  const done = page.getByRole("region", { name: region, exact: true });
  const start = panel.getByRole("button", { name: button, exact: true });
  await done.or(start).first().waitFor();
  if (!(await done.isVisible())) await start.click();
  await done.first().waitFor({ timeout: 300_000 });
}

async function take(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.waitForTimeout(1200); // canvases are drawn as their files come
  await page.screenshot({ path: `${OUT}${name}.png`, fullPage: true });
  console.log(`${name}.png`, page.faults.join("; "));
}

const stack = await Stack.start();
const { browser, open } = await launch();
try {
  mkdirSync(OUT, { recursive: true });
  const id = await separated(stack);
  const workflow = await karaoke(stack, { job_id: id, output: "other" });
  for (const [kind, options] of LOOKS) {
    const page = await open(`${stack.url}/app/jobs/${id}`, options);
    for (const [name, tab, button, region] of WORKS) {
      await work(page, tab, button, region);
      await take(page, name + kind);
    }
    await page.goto(`${stack.url}/app/recipes`);
    await page.getByRole("button", { name: "Use it" }).first().click();
    await take(page, `recipes${kind}`);
    await page.goto(`${stack.url}/app/workflows/${workflow}`);
    await page.getByRole("heading", { name: "Steps" }).waitFor();
    await take(page, `workflow${kind}`);
    await page.context().close();
  }
} finally {
  await browser.close();
  await stack.stop();
}
