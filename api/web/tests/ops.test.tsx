import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import type { Pool, Schemas } from "../src/api";
import { announced } from "../src/app/announce";
import { queries } from "../src/app/queries";
import { setLocale } from "../src/i18n";
import { Ops } from "../src/ops/Ops";
import { problem, valid } from "./fixtures";
import { answers, server, show } from "./server";

const NAME = "separate.demo.cpu";

function pool(values: Partial<Pool> = {}): Pool {
  return valid("Pool", {
    name: NAME,
    kinds: ["separate"],
    models: ["demo"],
    device: "cpu",
    precision: "fp32",
    slots: 2,
    queued: 3,
    running: 2,
    jobs: 5,
    drained_at: null,
    drained_why: null,
    waiting: { high: 0, normal: 3, low: 0 },
    workers: [],
    ...values,
  });
}

const drained = { drained_at: "2026-11-28T12:00:00+00:00", drained_why: "a new card" };

const key = valid("Key", {
  id: "k1",
  name: "band",
  scopes: ["submit", "read"],
  max_priority: "normal",
  created_at: "2026-11-28T12:00:00+00:00",
  expires_at: null,
  revoked_at: null,
});

/** What the service has: a test changes it as the api would. */
let now: { pools: Pool[]; keys: Schemas["Key"][] };

beforeEach(() => {
  announced.set({ polite: "", urgent: "" });
  now = { pools: [pool(), pool({ name: "fetch", models: [], running: 0 })], keys: [key] };
  server.use(
    http.get("*/v1/pools", () => HttpResponse.json(valid("Pools", { pools: now.pools }))),
    http.get("*/v1/keys", () => HttpResponse.json(valid("Keys", { needed: true, keys: now.keys }))),
    http.get("*/healthz/ready", () => HttpResponse.json(valid("Health", { status: "ok", parts: { database: "ok" } }))),
    http.get("*/v1/failures", () =>
      HttpResponse.json(
        valid("Failures", { since: "2026-11-28T12:00:00+00:00", until: "2026-11-29T12:00:00+00:00", failures: [] }),
      ),
    ),
    http.get("*/v1/usage/series", () => HttpResponse.json({ periods: [], currency: "EUR" })),
  );
});

function row(name: string) {
  return within(screen.getByRole("table", { name: "Pools" }))
    .getByText(name)
    .closest("tr") as HTMLElement;
}

/** The pools as they became, as the next poll would bring them. */
async function later(change: Partial<Pool>): Promise<void> {
  now.pools = now.pools.map((one) => (one.name === NAME ? pool({ ...one, ...change }) : one));
  await queries.invalidateQueries({ queryKey: ["pools"] });
}

test("a pool is drained by keys alone, says what still runs, and takes work again", async () => {
  const told: unknown[] = [];
  server.use(
    // one handler for both: a colon begins a parameter's name in a path
    http.post("*/v1/pools/:act", async ({ request, params }) => {
      const drains = params.act === `${NAME}:drain`;
      told.push(drains ? await request.json() : params.act);
      const changed = pool(drains ? drained : { running: 0 });
      now.pools = now.pools.map((one) => (one.name === NAME ? changed : one));
      return HttpResponse.json(changed);
    }),
  );
  const user = userEvent.setup();
  show(<Ops />);
  (await screen.findByRole("button", { name: `Drain the pool ${NAME}` })).focus();
  expect(within(row(NAME)).getByText("Takes work")).toBeVisible();

  await user.keyboard("{Enter}");
  expect(screen.getByRole("dialog", { name: `Drain ${NAME}?` })).toBeVisible();
  await user.type(screen.getByLabelText("Why"), "a new card{Enter}");

  expect(await within(row(NAME)).findByText("Drains: 2 jobs still run")).toBeVisible();
  expect(within(row(NAME)).getByText(/^Since .*: a new card$/)).toBeVisible();
  expect(told).toEqual([{ why: "a new card" }]);
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(announced.get().polite).toBe(`${NAME}: Drains: 2 jobs still run`);
  expect(within(row("fetch")).getByText("Takes work")).toBeVisible();

  await later({ running: 1 });
  expect(await screen.findByText("Drains: 1 job still runs")).toBeVisible();
  await later({ running: 0 });
  expect(await screen.findByText("Drained: no job runs")).toBeVisible();
  await waitFor(() => expect(announced.get().polite).toBe(`${NAME}: Drained: no job runs`));

  const resume = screen.getByRole("button", { name: `Resume the pool ${NAME}` });
  expect(resume).toHaveFocus(); // the dialog gave the focus back to the button that opened it
  await user.keyboard("{Enter}");
  expect(await screen.findByRole("button", { name: `Drain the pool ${NAME}` })).toHaveFocus();
  expect(told.at(-1)).toBe(`${NAME}:resume`);
  expect(announced.get().polite).toBe(`${NAME}: Takes work`);
});

test("a drain that was not had leaves the dialog with the reason, and nobody is told of one", async () => {
  answers("post", "/v1/pools/:name", problem("forbidden", 403), 403);
  show(<Ops />);
  await userEvent.click(await screen.findByRole("button", { name: `Drain the pool ${NAME}` }));
  const dialog = screen.getByRole("dialog");
  await userEvent.click(within(dialog).getByRole("button", { name: "Drain" }));
  expect(await within(dialog).findByText(/forbidden/)).toBeInTheDocument();
  await userEvent.click(within(dialog).getByRole("button", { name: "Let it work" }));
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(within(row(NAME)).getByText("Takes work")).toBeVisible();
});

test("a pool that was not resumed stays drained, and the reason is shown and said", async () => {
  now.pools = [pool({ ...drained, drained_why: "" })];
  answers("post", "/v1/pools/:name", problem("store_unavailable", 503), 503);
  show(<Ops />);
  await userEvent.click(await screen.findByRole("button", { name: `Resume the pool ${NAME}` }));
  await waitFor(() => expect(announced.get().urgent).toBe(`${NAME} was not resumed`));
  expect(screen.getByText("store_unavailable")).toBeInTheDocument();
  expect(screen.getByText("Drains: 2 jobs still run")).toBeVisible();
});

test("who drains reads German where the page speaks it", async () => {
  now.pools = [pool(drained)];
  setLocale("de");
  try {
    show(<Ops />);
    expect(await screen.findByText("Läuft aus: 2 Aufträge laufen noch")).toBeVisible();
    expect(screen.getByRole("button", { name: `Pool ${NAME} fortsetzen` })).toHaveTextContent("Fortsetzen");
  } finally {
    setLocale("en");
  }
});

test("a key is revoked after a question, and says since when", async () => {
  let revoked = "";
  server.use(
    http.delete("*/v1/keys/:id", ({ params }) => {
      revoked = String(params.id);
      now.keys = [valid("Key", { ...key, revoked_at: new Date().toISOString() })];
      return new HttpResponse(null, { status: 204 });
    }),
  );
  show(<Ops />);
  await userEvent.click(await screen.findByRole("button", { name: "Revoke the key of band" }));
  await userEvent.click(screen.getByRole("button", { name: "Keep it" }));
  expect(revoked).toBe("");
  await userEvent.click(screen.getByRole("button", { name: "Revoke the key of band" }));
  await userEvent.click(screen.getByRole("button", { name: "Revoke for good" }));
  expect(await screen.findByText(/^Revoked /)).toBeVisible();
  expect(revoked).toBe("k1");
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(screen.queryByRole("button", { name: "Revoke the key of band" })).toBeNull();
});

test("a key that was not revoked stays, and the dialog says why", async () => {
  answers("delete", "/v1/keys/:id", problem("key_not_found", 404), 404);
  show(<Ops />);
  await userEvent.click(await screen.findByRole("button", { name: "Revoke the key of band" }));
  const dialog = screen.getByRole("dialog", { name: "Revoke this key?" });
  await userEvent.click(within(dialog).getByRole("button", { name: "Revoke for good" }));
  expect(await within(dialog).findByText("key_not_found")).toBeInTheDocument();
  expect(screen.getByText("Valid")).toBeVisible();
});

test("axe finds nothing in the pools, drained or not, nor in the question", async () => {
  now.pools = [pool(drained), pool({ name: "fetch" })];
  show(<Ops />);
  await userEvent.click(await screen.findByRole("button", { name: "Drain the pool fetch" }));
  // jsdom draws nothing, so colours can't be told here; the browser's tests look at them
  const found = await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } });
  const parts = found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html}`));
  expect(parts.filter((part) => /pool|drain|resume|dialog/i.test(part))).toEqual([]);
});
