// The chat's drawer in a real browser, on a fresh service that reaches no network, by keyboard.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { AxeBuilder, CHROMIUM, launch, press, tabTo } from "./browser.mjs";
import { PATIENCE, Stack, until } from "./stack.mjs";

const absent = existsSync(CHROMIUM) ? false : `needs a browser: ${CHROMIUM} is not there`;
const BAR_MS = 15_000; // from a message to its sound
const LONG = { timeout: 180_000 };
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const SMALLEST_TARGET = 44;
const SAID = ["Create a trap beat at 140 bpm in C minor", "now mute the drums and master it for streaming", "undo"];
// whatever would leave this machine meets a closed door
const NOWHERE = "http://127.0.0.1:9";
const ALONE = { HTTP_PROXY: NOWHERE, HTTPS_PROXY: NOWHERE, ALL_PROXY: NOWHERE, NO_PROXY: "127.0.0.1,localhost" };
const world = { stack: null, open: null, pages: [], id: null };
let browser;

before(async () => {
  if (absent) return;
  world.stack = await Stack.start({ STEMSVC_POOLS: undefined, ...ALONE }); // as `stemsvc up` is without any setting
  const started = await launch();
  browser = started.browser;
  world.open = async (path, options) => {
    const page = await started.open(world.stack.url + path, options);
    world.pages.push(page);
    return page;
  };
});

afterEach(async () => {
  const pages = world.pages.splice(0);
  const found = pages.flatMap((page) => page.faults);
  await Promise.all(pages.map((page) => page.context().close()));
  assert.deepEqual(found, [], "the page broke its policy, or had an error");
});

after(async () => {
  await browser?.close();
  await world.stack?.stop();
});

const drawer = (page) => page.getByRole("complementary", { name: "Chat" });
const field = (page) => page.getByLabel("Your message");
const inField = (page) => page.waitForFunction(() => document.activeElement?.id === "chat-words");

/** Open the drawer by its key; the focus goes into its field. */
async function openDrawer(page) {
  await page.getByRole("button", { name: "Chat", exact: true }).waitFor();
  await page.keyboard.press("c");
  await inField(page);
}

async function say(page, text) {
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

/** Run the plan that waits, by its button; the focus comes back to the field. */
async function run(page, summary) {
  await drawer(page).getByRole("article", { name: summary }).last().waitFor();
  await tabTo(page, "Run it", "Shift+Tab");
  await page.keyboard.press("Enter");
  await inField(page);
}

/** Wait for a version's player; no bar is ever ahead of what the api says. Returns the figures that were shown. */
async function follow(page, name) {
  const card = drawer(page).getByRole("article", { name }).last();
  const shown = [];
  await until(
    name,
    async () => {
      const bars = await page.evaluate(() =>
        [...document.querySelectorAll("aside [data-stage] [role=progressbar][aria-valuenow]")].map((bar) => ({
          stage: bar.closest("[data-stage]").dataset.stage,
          figure: Number(bar.getAttribute("aria-valuenow")),
        })),
      );
      const { jobs } = await world.stack.get("/v1/jobs?state=running"); // asked for later, so it can't be behind
      for (const { stage, figure } of bars) {
        const told = jobs.filter((job) => job.progress.stage === stage).map((job) => job.progress.fraction * 100 + 0.1);
        assert.ok(told.length === 0 || figure <= Math.max(...told), `${stage}: ${figure} > ${told}`);
        if (shown.at(-1) !== `${stage} ${figure}`) shown.push(`${stage} ${figure}`);
      }
      return (await card.getByRole("button", { name: "Play" }).count()) > 0;
    },
    LONG.timeout,
    50,
  );
  return shown;
}

/** Play the newest version by keys, until it sounds; then stop it. */
async function hear(page) {
  await tabTo(page, "Play (button)", "Shift+Tab");
  await page.keyboard.press("Enter");
  const position = () =>
    drawer(page)
      .getByLabel("Position")
      .last()
      .evaluate((slider) => Number(slider.value));
  await drawer(page).getByLabel("Position").last().waitFor();
  await until("sound", async () => (await position()) > 0.2);
  const sounding = Date.now();
  await page.keyboard.press("Enter"); // the same button is Pause now
  await field(page).focus();
  return sounding;
}

async function a_piece_is_made_changed_and_taken_back_by_words_and_keys(world) {
  const { stack } = world;
  const page = await world.open("/");
  await openDrawer(page);
  await page.keyboard.type(SAID[0]);
  const asked = Date.now();
  await page.keyboard.press("Enter");
  await run(page, "Plan: trap, 140 bpm, C minor");
  const shown = await follow(page, /^Version 1: /);
  const took = (await hear(page)) - asked;
  console.log(`from the message to its sound: ${(took / 1000).toFixed(1)} s; shown: ${shown.join(", ")}`);
  assert.ok(took <= BAR_MS * PATIENCE, `it took ${took} ms`);
  assert.ok(shown.length > 0, "its progress was shown"); // a quick machine is done after one figure

  const { conversations } = await stack.get("/v1/conversations");
  const talk = () => stack.get(`/v1/conversations/${conversations[0].id}`);
  const [made] = (await talk()).versions;
  const { jobs } = await stack.get("/v1/jobs?kind=generate");
  assert.deepEqual([jobs[0].state, jobs.length], ["succeeded", 1]);

  await say(page, SAID[1]);
  await run(page, /^Plan: .*without drums, mastered/);
  await follow(page, /^Version 2: /);
  await hear(page);
  const second = await talk();
  assert.deepEqual([second.version, second.versions.length], [2, 2]);
  const { steps } = await stack.get(`/v1/workflows/${second.versions[1].workflow_id}`);
  const mix = await stack.get(`/v1/jobs/${steps.find((step) => step.do === "mix").jobs[0].id}`);
  assert.ok(mix.inputs.length >= 2 && mix.inputs.every((input) => input.output !== "drums"), "the drums are not in it");
  const master = await stack.get(`/v1/jobs/${steps.find((step) => step.do === "master").jobs[0].id}`);
  assert.ok(Math.abs(master.facts.after.loudness_lufs + 14) <= 0.5, "it is as loud as streaming has it");

  await say(page, SAID[2]);
  await page
    .getByText(/^This is version 1 again/)
    .first()
    .waitFor();
  const back = await talk();
  assert.equal(back.version, 1);
  assert.equal(back.versions[0].workflow_id, made.workflow_id);
  await hear(page);
  world.id = conversations[0].id;

  await page.keyboard.press("Escape");
  await drawer(page).waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "chat-opener", "the focus came back");
}

async function the_list_finds_renames_exports_and_deletes(world) {
  const page = await world.open("/app/jobs");
  await openDrawer(page);
  await say(page, "hello");
  await drawer(page).getByText("hello").waitFor();
  await until("the answer", async () => (await world.stack.get("/v1/conversations")).conversations.length === 2);
  await press(page, "Close the chat"); // forth through the drawer's end and the page, to its head
  await openDrawer(page);
  await tabTo(page, "Conversations (", "Shift+Tab");
  await page.keyboard.press("Enter");
  const list = drawer(page).getByRole("list", { name: "Conversations" });
  await list.getByRole("listitem").nth(1).waitFor();
  await page.keyboard.type("drums streaming");
  await list.getByRole("listitem").filter({ hasText: "hello" }).waitFor({ state: "detached" });
  await press(page, /^Rename Create a trap/);
  await tabTo(page, "Name (input");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Beats for Ada");
  await page.keyboard.press("Enter");
  await list.getByText("Beats for Ada").waitFor();
  await press(page, "Export Beats for Ada");
  const downloading = page.waitForEvent("download");
  await press(page, "As a text");
  assert.equal((await downloading).suggestedFilename(), "Beats for Ada.md");
  await tabTo(page, "Search conversations", "Shift+Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await press(page, "Delete hello");
  await press(page, "Delete for good");
  await list.getByText("hello", { exact: true }).waitFor({ state: "detached" });
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const { conversations } = await world.stack.get("/v1/conversations");
  assert.deepEqual(
    conversations.map((one) => one.name),
    ["Beats for Ada"],
  );
  await press(page, "Beats for Ada");
  await drawer(page).getByText(SAID[1], { exact: true }).waitFor();
}

/** The drawer with the conversation of the first test. */
async function shown(world, path, options) {
  const page = await world.open(path, options);
  await page.evaluate((id) => sessionStorage.setItem("stemsvc.chat.1", id), world.id);
  await page.reload();
  await page.getByRole("button", { name: "Chat", exact: true }).click();
  await drawer(page).getByRole("button", { name: "Play" }).last().waitFor();
  await drawer(page).getByLabel("Position").last().waitFor();
  return page;
}

async function axe_finds_nothing_in_the_drawer(world) {
  const found = [];
  const look = async (page, where) => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    for (const one of violations) {
      found.push(`${where}: ${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
    }
  };
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of [WIDE, PHONE]) {
      const page = await shown(world, "/", { colorScheme, viewport, reducedMotion: "reduce" });
      await look(page, `messages ${colorScheme} ${viewport.width}`);
      await drawer(page).getByRole("button", { name: "Conversations" }).click();
      await drawer(page).getByRole("list", { name: "Conversations" }).getByRole("listitem").first().waitFor();
      await look(page, `list ${colorScheme} ${viewport.width}`);
    }
  }
  assert.deepEqual(found, []);
}

async function nothing_is_cut_off_and_all_is_large_enough_to_touch(world) {
  const narrow = await shown(world, "/app/jobs", { viewport: { width: 320, height: 640 }, forcedColors: "active" });
  const excess = (page) =>
    page.evaluate(() => {
      const parts = [document.scrollingElement, ...document.querySelectorAll("aside, aside section, aside form")];
      return Math.max(...parts.map((part) => part.scrollWidth - part.clientWidth));
    });
  assert.equal(await excess(narrow), 0);
  const phone = await shown(world, "/", { viewport: PHONE, hasTouch: true, isMobile: true });
  assert.equal(await excess(phone), 0);
  const small = await phone.evaluate((least) => {
    const touched = [...document.querySelectorAll("aside button, aside summary, aside input, aside a[download]")];
    return touched
      .map((one) => (one.matches("[type=checkbox], [type=radio], [type=file]") ? one.closest("label") : one))
      .filter((one) => one.checkVisibility())
      .map((one) => ({ box: one.getBoundingClientRect(), html: one.outerHTML.slice(0, 120) }))
      .filter(({ box }) => box.width > 0 && (box.height < least - 0.5 || box.width < least - 0.5))
      .map(({ box, html }) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`);
  }, SMALLEST_TARGET);
  assert.deepEqual(small, []);
  assert.ok(await phone.locator("main").evaluate((main) => main.inert), "what the drawer covers is out of reach");
}

for (const step of [
  a_piece_is_made_changed_and_taken_back_by_words_and_keys,
  the_list_finds_renames_exports_and_deletes,
  axe_finds_nothing_in_the_drawer,
  nothing_is_cut_off_and_all_is_large_enough_to_touch,
]) {
  test(step.name.replaceAll("_", " "), { skip: absent, timeout: 300_000 * PATIENCE }, () => step(world));
}
