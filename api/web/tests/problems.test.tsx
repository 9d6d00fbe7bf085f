import { screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { Problem, problemOf, retryAfter } from "../src/api";
import { setLocale } from "../src/i18n";
import { CATALOG } from "../src/problems/catalog";
import { said } from "../src/problems/known";
import { ProblemPanel } from "../src/problems/ProblemPanel";
import { pauseAfter } from "../src/studio/retry";
import { problem } from "./fixtures";
import { show } from "./server";

afterEach(() => setLocale("en"));

test("each code has a sentence in each language", () => {
  for (const [code, { en, de }] of CATALOG) {
    expect(en, code).toMatch(/[.:…?]/);
    expect(de, code).not.toBe(en);
  }
});

test("a known code shows its words and its action, with the api's words below", async () => {
  let chosen = 0;
  show(
    <ProblemPanel
      code="not_audio"
      detail="no stream"
      requestId="4d2f7a"
      actions={{ choose_other: () => (chosen += 1) }}
    />,
  );
  expect(screen.getByText("This file is not audio.")).toBeVisible();
  expect(screen.getByText("no stream")).toBeInTheDocument();
  screen.getByRole("button", { name: "Choose another file" }).click();
  expect(chosen).toBe(1);
});

test("an unknown code shows code, detail and request id at once", () => {
  show(<ProblemPanel code="from_the_future" detail="a new fault" requestId="4d2f7a" />);
  for (const text of ["from_the_future", "a new fault", "4d2f7a"]) expect(screen.getByText(text)).toBeVisible();
  expect(said("from_the_future")).toBeNull();
});

test("words follow the language", () => {
  setLocale("de");
  expect(said("queue_full")).toBe("Die Warteschlange ist voll.");
});

test("an answer's problem keeps code, request and the time to wait", () => {
  const headers = { "Retry-After": "7" };
  const told = problemOf(problem("queue_full", 429), new Response(null, { status: 429, headers }));
  expect(told).toMatchObject({ code: "queue_full", requestId: "4d2f7a", retryAfter: 7 });
  expect(problemOf("<html>", new Response(null, { status: 502 })).code).toBe("http_502");
  expect(retryAfter(new Date(Date.now() + 60_000).toUTCString())).toBeGreaterThan(50);
});

test("what passes is tried again after Retry-After or a growing pause, what does not is not", () => {
  expect(pauseAfter(new Problem("queue_full", "", 429, null, 7), 0)).toBe(7000);
  expect(pauseAfter(new Problem("store_unavailable", "", 503), 0)).toBe(1000);
  expect(pauseAfter(new Problem("store_unavailable", "", 503), 3)).toBe(8000);
  expect(pauseAfter(new Problem("store_unavailable", "", 503), 20)).toBe(30_000);
  expect(pauseAfter(new Problem("from_the_future", "", 503), 0)).toBe(1000);
  expect(pauseAfter(new Problem("not_audio", "", 422), 0)).toBeNull();
});
