// The page in a real browser, against a real service, by keyboard.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { tests as accessible } from "./accessible.mjs";
import { CHROMIUM, launch } from "./browser.mjs";
import { tests as faults } from "./faults.mjs";
import { tests as keys } from "./keys.mjs";
import { tests as kinds } from "./kinds.mjs";
import { tests as player } from "./player.mjs";
import { tests as song } from "./song.mjs";
import { PATIENCE, Stack } from "./stack.mjs";

const absent = existsSync(CHROMIUM) ? false : `needs a browser: ${CHROMIUM} is not there`;
const world = { stack: null, open: null, pages: [], jobId: null, key: null, screens: [] };
let browser;

before(async () => {
  if (absent) return;
  world.stack = await Stack.start();
  const started = await launch();
  browser = started.browser;
  world.open = async (path, options) => {
    const page = await started.open(path && world.stack.url + path, options);
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

// one after the other: each goes on from the service that the last one left
for (const run of [...song, ...player, ...faults, ...kinds, ...accessible, ...keys]) {
  test(run.name.replaceAll("_", " "), { skip: absent, timeout: 300_000 * PATIENCE }, () => run(world));
}
