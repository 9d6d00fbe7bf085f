// The end of an open service: its first key, and who has none.
import assert from "node:assert/strict";
import { press, tabTo } from "./browser.mjs";

async function a_job_is_deleted_after_a_question(world) {
  const page = await world.open(`/app/jobs/${world.jobId}`);
  await page.getByRole("heading", { name: "Files" }).waitFor();
  await press(page, "Delete");
  await page.getByRole("dialog", { name: "Delete this job?" }).waitFor();
  await page.keyboard.press("Escape");
  await press(page, "Delete");
  await press(page, "Delete for good");
  await page.waitForURL(/\/app\/jobs$/);
  assert.equal((await world.stack.get(`/v1/jobs/${world.jobId}`)).code, "job_not_found");
}

async function the_first_key_is_made_shown_once_and_signs_its_maker_in(world) {
  const page = await world.open("/app/ops");
  await press(page, "New key");
  await tabTo(page, "Who uses it");
  await page.keyboard.type("the operator");
  await press(page, "Make the key");
  const field = page.getByLabel("Key of the operator");
  world.key = await field.inputValue();
  assert.match(world.key, /^\S{20,}$/);
  // each process of the api looks every few seconds whether a key is needed
  const until = Date.now() + 15_000;
  let code;
  do code = (await world.stack.get("/v1/jobs")).code;
  while (code !== "unauthorized" && Date.now() < until);
  assert.equal(code, "unauthorized", "now everybody needs a key");
  await page.keyboard.press("Escape");
  await page.getByText("the operator").waitFor();
  assert.equal(await page.getByText(world.key).count(), 0);
}

async function who_has_no_key_is_asked_for_one_and_then_works_by_a_cookie(world) {
  const page = await world.open("/app/jobs");
  await tabTo(page, "Key");
  await page.keyboard.type("not-a-key");
  await page.keyboard.press("Enter");
  await page.getByText("This key is unknown, expired or revoked.").waitFor();
  await page.getByLabel("Key", { exact: true }).fill("");
  await page.getByLabel("Key", { exact: true }).focus();
  await page.keyboard.type(world.key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
  const [cookie] = await page.context().cookies();
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict");
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!stored.includes(world.key), "the key is stored");
  await page.goto(`${world.stack.url}/app/settings`);
  await press(page, "Sign out");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

export const tests = [
  a_job_is_deleted_after_a_question,
  the_first_key_is_made_shown_once_and_signs_its_maker_in,
  who_has_no_key_is_asked_for_one_and_then_works_by_a_cookie,
];
