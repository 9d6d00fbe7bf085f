// Pictures of each screen, from a running service with the demo song, for the docs: `make web-shots`. With SHOTS=folder
// they go there, each in light, in dark and on a phone, to be looked at.
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { launch } from "./browser.mjs";
import { takeChat } from "./shots_chat.mjs";
import { takeKinds } from "./shots_kinds.mjs";
import { ROOT, SONG, Stack, until } from "./stack.mjs";

const OUT = process.env.SHOTS ?? `${ROOT}docs/screens`;
const WIDE = { viewport: { width: 1280, height: 860 }, deviceScaleFactor: 1 };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const LIGHT = ["", { ...WIDE, colorScheme: "light" }];
const LOOKS = process.env.SHOTS
  ? [LIGHT, ["-dark", { ...WIDE, colorScheme: "dark" }], ["-phone", { ...PHONE, colorScheme: "dark" }]]
  : [LIGHT];
const SETTLED_MS = 1000;

async function job(stack, name, bytes, fields = {}) {
  const form = new FormData();
  form.append("file", new Blob([bytes]), name);
  for (const [key, value] of Object.entries({ model: "demo", ...fields })) form.append(key, value);
  const answer = await fetch(`${stack.url}/v1/separations`, { method: "POST", body: form });
  return (await answer.json()).id;
}

/** Waits until each stem has its waveform. */
function waves(page) {
  const drawn = () => {
    const all = [...document.querySelectorAll("canvas[data-stem]")];
    const isDrawn = (canvas) => {
      const { width, height } = canvas;
      return canvas
        .getContext("2d")
        .getImageData(0, 0, width, height)
        .data.some((value) => value > 0);
    };
    return all.length > 0 && all.every(isDrawn);
  };
  return page.waitForFunction(drawn, null, { timeout: 120_000 });
}

/** What is done before a picture is taken. */
const FIRST = {
  player: waves,
  shared: waves,
  mixdown: async (page) => {
    await waves(page);
    await page.getByRole("button", { name: "Save mix" }).click();
    await page.getByRole("dialog").waitFor();
  },
};

const stack = await Stack.start();
const { browser, open } = await launch();
let faulty = false;

/** One picture, of `part` of the page, once its canvases are drawn. */
async function takeAs(look, page, name, part = page) {
  await page.waitForTimeout(SETTLED_MS);
  await part.screenshot({ path: `${OUT}/${name}${look}.png` });
  console.log(`${name}${look}.png`, page.faults.join("; "));
  faulty ||= page.faults.length > 0;
}

try {
  mkdirSync(OUT, { recursive: true });
  const song = await readFile(SONG);
  const id = await job(stack, "Four Stems - Demo Song.flac", song);
  const failed = await job(stack, "Shopping list.txt", "milk, bread, strings for the guitar");
  await until("the stems", async () => (await stack.get(`/v1/jobs/${id}`)).state === "succeeded", 600_000);
  const share = await fetch(`${stack.url}/v1/jobs/${id}/share`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
  const { token } = await share.json();
  const running = await job(stack, "Four Stems - Once More.flac", song, { shifts: "4", cache: "false" });
  await until("progress", async () => (await stack.get(`/v1/jobs/${running}`)).progress.fraction > 0, 600_000);
  for (const [name, path] of [
    ["running", `/app/jobs/${running}`],
    ["studio", "/"],
    ["player", `/app/jobs/${id}`],
    ["mixdown", `/app/jobs/${id}`],
    ["shared", `/s/${token}`],
    ["failed", `/app/jobs/${failed}`],
    ["jobs", "/app/jobs"],
    ["operations", "/app/ops"],
    ["settings", "/app/settings"],
  ]) {
    for (const [look, options] of LOOKS) {
      const page = await open(stack.url + path, options);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await FIRST[name]?.(page);
      await takeAs(look, page, name);
      await page.context().close();
    }
  }
  for (const [look, options] of LOOKS) {
    const world = { stack, id, open: (url) => open(url, options), take: takeAs.bind(null, look) };
    await takeKinds(world);
    await takeChat(world);
  }
  if (LOOKS.length === 1) {
    await takeChat({
      stack,
      open: (url) => open(url, { ...PHONE, colorScheme: "dark" }),
      take: takeAs.bind(null, "-phone"),
    });
  }
} finally {
  await browser.close();
  await stack.stop();
}
process.exit(faulty ? 1 : 0);
