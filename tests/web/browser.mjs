// A real browser, and a reader who has a keyboard alone.
import { createRequire } from "node:module";
import { PATIENCE, ROOT, until } from "./stack.mjs";

const require = createRequire(`${ROOT}api/web/package.json`);
const { chromium } = require("playwright-core");
export const AxeBuilder = require("@axe-core/playwright").default;

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Starts a browser. `open` gives a page whose policy violations and errors are collected in `page.faults`. */
export async function launch() {
  const args = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  const open = async (url, options = {}) => {
    const context = await browser.newContext({ locale: "en-US", acceptDownloads: true, ...options });
    context.setDefaultTimeout(60_000 * PATIENCE);
    const page = await context.newPage();
    page.faults = [];
    page.choosers = [];
    page.on("filechooser", (chooser) => page.choosers.push(chooser)); // from now on: the first key may be too early
    await page.exposeFunction("tellFault", (text) => page.faults.push(text));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        window.tellFault(`CSP ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
      });
    });
    page.on("pageerror", (error) => page.faults.push(`error: ${error.message}`));
    if (url) await page.goto(url);
    return page;
  };
  return { browser, open };
}

/** Name and role of what has the focus, as a screen reader says them. */
async function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return "";
    const labels = element.labels ? [...element.labels].map((label) => label.innerText) : [];
    const name = element.getAttribute("aria-label") ?? (labels.join(" ") || element.innerText || element.value || "");
    return `${name.trim()} (${element.tagName.toLowerCase()})`;
  });
}

/** Press Tab until what has the focus is called `name`. Fails after one round through the page. */
export async function tabTo(page, name, key = "Tab") {
  const seen = [];
  for (let round = 0; round < 120; round += 1) {
    await page.keyboard.press(key);
    const now = await focused(page);
    if (name instanceof RegExp ? name.test(now) : now.startsWith(name)) return now;
    seen.push(now);
  }
  throw new Error(`Tab never came to ${name}; it came to:\n${[...new Set(seen)].join("\n")}`);
}

/** Tab there and press Enter. */
export async function press(page, name) {
  await tabTo(page, name);
  await page.keyboard.press("Enter");
}

/** Choose a file in the browser's dialog; `meanwhile` happens while the dialog is open. */
export async function chooseFile(page, path, meanwhile = async () => {}) {
  await page.getByText("Add a song first").waitFor(); // the page has settled
  await tabTo(page, "Choose songs");
  await page.keyboard.press("Enter");
  const chooser = await until("the dialog", () => page.choosers.shift());
  await meanwhile();
  await chooser.setFiles(path);
}
