// Each screen for everybody: by axe in both themes at two widths, without a pointer, narrow, large, and read aloud.
import assert from "node:assert/strict";
import { AxeBuilder } from "./browser.mjs";

const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const SMALLEST_TARGET = 44; // CSS pixels

let played = []; // the screens that have the player

async function screens(world) {
  const share = await fetch(`${world.stack.url}/v1/jobs/${world.jobId}/share`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
  const { token } = await share.json();
  played = [`/app/jobs/${world.jobId}`, `/s/${token}`];
  return [
    "/",
    "/app/jobs",
    `/app/jobs/${world.jobId}`,
    `/app/jobs/${world.failedId}`,
    "/app/ops",
    "/app/settings",
    "/app/nowhere",
    `/s/${token}`,
    ...world.screens,
  ];
}

async function show(page, url) {
  await page.goto(url);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForLoadState("load");
  await page.waitForFunction(() => document.querySelector("main")?.innerText.length > 40);
  if (played.some((path) => url.endsWith(path))) await page.getByRole("button", { name: /^Mute Drums/ }).waitFor();
}

async function axe_finds_nothing_on_any_screen(world) {
  const paths = await screens(world);
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of [WIDE, PHONE]) {
      const page = await world.open("/", { colorScheme, viewport, reducedMotion: "reduce" });
      for (const path of paths) {
        await show(page, world.stack.url + path);
        const { violations } = await new AxeBuilder({ page }).analyze();
        for (const one of violations) {
          found.push(
            `${path} ${colorScheme} ${viewport.width}: ${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`,
          );
        }
      }
    }
  }
  assert.deepEqual(found, []);
}

async function nothing_is_cut_off_at_320_pixels_nor_with_text_of_twice_the_size(world) {
  const paths = await screens(world);
  const wide = [];
  for (const [width, size] of [
    [320, "100%"],
    [640, "200%"],
  ]) {
    const page = await world.open("/", { viewport: { width, height: 800 }, forcedColors: "active" });
    for (const path of paths) {
      await show(page, world.stack.url + path);
      await page.evaluate((text) => {
        document.documentElement.style.fontSize = text;
      }, size);
      // canvases follow their lanes a frame later
      const fits = () =>
        page.waitForFunction(() => document.scrollingElement.scrollWidth <= window.innerWidth, null, { timeout: 2000 });
      await fits().catch(() => {});
      const excess = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
      if (excess > 0) wide.push(`${path} at ${width} pixels, text ${size}: ${excess} pixels too wide`);
    }
  }
  assert.deepEqual(wide, []);
}

async function what_is_touched_is_large_enough_on_a_phone(world) {
  const small = [];
  const page = await world.open("/", { viewport: PHONE, hasTouch: true, isMobile: true });
  for (const path of await screens(world)) {
    await show(page, world.stack.url + path);
    const found = await page.evaluate((least) => {
      const touched = document.querySelectorAll("button, select, summary, nav a, header a, main a[download], input");
      return [...touched]
        .map((element) => ({
          element: element.matches("input[type=checkbox], input[type=radio], input[type=file]")
            ? (element.closest("label") ?? element)
            : element,
        }))
        .filter(({ element }) => element.checkVisibility() && !element.closest("p, dd, li p"))
        .map(({ element }) => ({ box: element.getBoundingClientRect(), html: element.outerHTML.slice(0, 120) }))
        .filter(({ box }) => box.width > 0 && (box.height < least - 0.5 || box.width < least - 0.5))
        .map(({ box, html }) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`);
    }, SMALLEST_TARGET);
    small.push(...found.map((each) => `${path}: ${each}`));
  }
  assert.deepEqual(small, []);
}

async function a_screen_reader_hears_sentences(world) {
  const page = await world.open("/");
  await page.getByRole("button", { name: /Add a song first/ }).waitFor();
  const read = await page.locator("body").ariaSnapshot();
  for (const line of [
    /link "Skip to the content"/,
    /navigation "Main"/,
    /heading "Studio" \[level=1\]/,
    /Drop songs anywhere on this page/,
    /button "Choose songs"/,
    /textbox "Or a link to a song"/,
    /region "What to make"/,
    /radio "All stems" \[checked\]/,
    /combobox "Model"/,
    /group "Files as"/,
    /checkbox "FLAC" \[checked\]/,
    /button "Add a song first" \[disabled\]/,
  ]) {
    assert.match(read, line);
  }
}

async function the_page_speaks_german_when_asked(world) {
  const page = await world.open("/", { locale: "de-AT" });
  await page.getByRole("heading", { name: "Studio", level: 1 }).waitFor();
  await page.getByText("Zieh Titel irgendwo auf diese Seite").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
}

export const tests = [
  axe_finds_nothing_on_any_screen,
  nothing_is_cut_off_at_320_pixels_nor_with_text_of_twice_the_size,
  what_is_touched_is_large_enough_on_a_phone,
  a_screen_reader_hears_sentences,
  the_page_speaks_german_when_asked,
];
