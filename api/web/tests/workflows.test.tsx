import { QueryClient } from "@tanstack/react-query";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import type { Schemas } from "../src/api";
import { announced } from "../src/app/announce";
import { queries } from "../src/app/queries";
import { tookMove, tookProgress } from "../src/events/take";
import { canBeDone, firstValues, paramsOf, wrong } from "../src/recipes/params";
import Recipes from "../src/recipes/Recipes";
import { layoutOf } from "../src/workflows/layout";
import WorkflowPage from "../src/workflows/WorkflowPage";
import { limits, problem, summary, valid } from "./fixtures";
import { answers, server, show } from "./server";

const ID = "77777777777777777777777777777777";

const recipe = valid("Recipe", {
  name: "practice",
  title: "Practice",
  summary: "Each stem left out once.",
  several: false,
  params: {
    model: {
      type: "text",
      title: "Model",
      help: "empty: the default",
      default: "",
      choices: [],
      least: null,
      most: null,
    },
    level: { type: "number", title: "Level", help: "", default: -14, choices: [], least: -40, most: -5 },
    bars: { type: "integer", title: "Bars", help: "", default: 4, choices: [], least: 1, most: null },
    click: {
      type: "flag",
      title: "Click track",
      help: "on the beats",
      default: true,
      choices: [],
      least: null,
      most: null,
    },
    format: {
      type: "choice",
      title: "Format",
      help: "",
      default: "flac",
      choices: ["flac", "mp3"],
      least: null,
      most: null,
    },
  },
  steps: [
    { id: "split", do: "separate" },
    { id: "click", do: "analyze", when: "$click" },
  ],
  outputs: [],
});

function step(values: Partial<Schemas["WorkflowStep"]>): Schemas["WorkflowStep"] {
  return valid("WorkflowStep", {
    id: "split",
    do: "separate",
    inputs: {},
    needs: [],
    state: "queued",
    jobs: [],
    ...values,
  });
}

function workflow(values: Partial<Schemas["Workflow"]> = {}): Schemas["Workflow"] {
  const own = `http://localhost:3000/v1/workflows/${ID}`;
  return valid("Workflow", {
    id: ID,
    name: "Yellow",
    recipe: "practice",
    state: "running",
    progress: { fraction: 0.25, jobs: 2, ended: 0, eta_seconds: 9.4 },
    created_at: "2026-11-28T12:00:00+00:00",
    finished_at: null,
    error: null,
    metadata: {},
    webhook_url: null,
    webhook_events: [],
    retry_of: null,
    steps: [
      step({ state: "running", jobs: [{ ...summary(), step: "split" }] }),
      step({ id: "again", inputs: { source: "split.vocals" }, needs: ["split"], state: "waiting_for_inputs" }),
    ],
    outputs: {},
    decisions: [
      {
        step: "split",
        at: "2026-11-28T12:00:00+00:00",
        from: null,
        to: "queued",
        why: "to the pool separate.demo.cpu",
        worker: null,
      },
    ],
    urls: { self: own, cancel: `${own}/cancel`, retry: `${own}/retry` },
    ...values,
  });
}

const pool = { kinds: ["*"], workers: [] };

beforeEach(() => {
  localStorage.clear();
  answers("get", "/v1/limits", { ...limits, kinds: ["separate"] });
  answers("get", "/v1/pools", { pools: [pool] });
  answers("get", "/v1/recipes", { recipes: [recipe] });
  answers("get", "/v1/workflows", { workflows: [], next_cursor: null });
});

test("a recipe is offered where its steps can be done; those that may be left out don't count", () => {
  expect(canBeDone(recipe, new Set(["separate"]))).toBe(true);
  expect(canBeDone(recipe, new Set(["analyze"]))).toBe(false);
});

test("the form's values become params: only those that differ, by their types", () => {
  const values = firstValues(recipe);
  expect(values).toEqual({ model: "", level: "-14", bars: "4", click: true, format: "flac" });
  expect(paramsOf(recipe, values)).toEqual({});
  expect(paramsOf(recipe, { ...values, level: "-9.5", click: false, format: "mp3" })).toEqual({
    level: -9.5,
    click: false,
    format: "mp3",
  });
  const { level, bars, model } = recipe.params as Record<string, Schemas["Param"]>;
  expect(level && wrong(level, "-3")).toBe("Give a number from -40 to -5.");
  expect(level && wrong(level, "")).toBe("Give a number.");
  expect(bars && wrong(bars, "2.5")).toBe("Give a whole number.");
  expect(bars && wrong(bars, "0")).toBe("Give a number from 1 to ∞.");
  expect(model && wrong(model, "")).toBeNull();
});

test("a recipe is filled in and started with a link, once", async () => {
  const sent: unknown[] = [];
  server.use(
    http.post("*/v1/workflows", async ({ request }) => {
      sent.push(await request.json());
      return HttpResponse.json(workflow(), { status: 201 });
    }),
  );
  show(<Recipes />);
  await userEvent.click(await screen.findByRole("button", { name: "Use it" }));
  const start = await screen.findByRole("button", { name: "Give a song first" });
  expect(start).toBeDisabled();
  await userEvent.click(screen.getByRole("checkbox", { name: "Click track" }));
  const level = screen.getByLabelText("Level");
  await userEvent.clear(level);
  await userEvent.type(level, "3");
  expect(screen.getByText("Give a number from -40 to -5.")).toBeVisible();
  await userEvent.clear(level);
  await userEvent.type(level, "-16");
  await userEvent.click(screen.getByRole("radio", { name: "A link" }));
  await userEvent.type(screen.getByLabelText("Link to a song"), "https://example.org/song.mp3");
  await userEvent.click(screen.getByRole("button", { name: "Start Practice" }));
  await waitFor(() => expect(location.pathname).toBe(`/app/workflows/${ID}`));
  expect(sent).toEqual([
    { recipe: "practice", params: { level: -16, click: false }, source: { url: "https://example.org/song.mp3" } },
  ]);
});

test("what the service refuses is said, and the form stays", async () => {
  answers("post", "/v1/workflows", problem("bad_recipe_params", 422), 422);
  show(<Recipes />);
  await userEvent.click(await screen.findByRole("button", { name: "Use it" }));
  await userEvent.click(screen.getByRole("radio", { name: "A link" }));
  await userEvent.type(screen.getByLabelText("Link to a song"), "https://example.org/song.mp3");
  await userEvent.click(screen.getByRole("button", { name: "Start Practice" }));
  expect(await screen.findByText("The recipe does not take this value.")).toBeVisible();
  expect(screen.getByLabelText("Link to a song")).toHaveValue("https://example.org/song.mp3");
});

test("where no recipe can be done the page says so", async () => {
  answers("get", "/v1/pools", { pools: [] });
  show(<Recipes />);
  expect(await screen.findByText("No recipes here")).toBeVisible();
});

test("steps stand right of what they need, and a circle draws too", () => {
  const { nodes, edges, columns, rows } = layoutOf([
    step({}),
    step({ id: "other", inputs: { source: "source" } }),
    step({ id: "last", inputs: { track: ["split.vocals", "other"] }, needs: ["split", "other"] }),
  ]);
  expect(nodes.map((node) => [node.id, node.column, node.row])).toEqual([
    ["source", 0, 0.5],
    ["split", 1, 0],
    ["other", 1, 1],
    ["last", 2, 0.5],
  ]);
  expect(edges).toContainEqual({ from: "other", to: "last" });
  expect([columns, rows]).toEqual([3, 2]);
  const circle = [
    step({ id: "a", inputs: { source: "b" }, needs: ["b"] }),
    step({ id: "b", inputs: { source: "a" }, needs: ["a"] }),
  ];
  expect(layoutOf(circle).nodes).toHaveLength(3);
});

test("a workflow shows its steps in words, its figures, and why", async () => {
  answers("get", `/v1/workflows/${ID}`, workflow());
  show(<WorkflowPage id={ID} />);
  const steps = await screen.findByRole("list", { name: "Steps in words" });
  expect(within(steps).getByText("separate · Running · needs Song · Separating, 58 %")).toBeVisible();
  expect(within(steps).getByText("separate · Waiting for earlier steps · needs split")).toBeVisible();
  expect(screen.getByRole("progressbar", { name: "Progress of Yellow" })).toHaveAttribute("aria-valuenow", "25");
  expect(screen.getByText("25 %, 0 of 2 jobs ended, about 9 seconds left")).toBeVisible();
  await userEvent.click(screen.getByText("Decisions"));
  expect(screen.getByText("to the pool separate.demo.cpu")).toBeVisible();
});

test("events move a step at once, and let the workflow be read again", () => {
  const client = new QueryClient();
  client.setQueryData(["workflow", ID], workflow());
  const told = { job_id: summary().id, fraction: 0.9, stage: "encoding", eta_seconds: null };
  tookProgress(client, JSON.stringify(told));
  expect(client.getQueryData(["workflow", ID])).toMatchObject({
    steps: [{ jobs: [{ progress: { fraction: 0.9 } }] }, {}],
  });
  tookMove(client, JSON.stringify({ job_id: "another" }));
  expect(client.getQueryState(["workflow", ID])?.isInvalidated).toBe(false);
  tookMove(client, JSON.stringify({ job_id: summary().id }));
  expect(client.getQueryState(["workflow", ID])?.isInvalidated).toBe(true);
});

test("a workflow that failed says which step and why; retry makes a new one; its end is announced", async () => {
  answers("get", `/v1/workflows/${ID}`, workflow());
  const { unmount } = show(<WorkflowPage id={ID} />);
  await screen.findByRole("heading", { name: "Steps" });
  const error = { step: "split", code: "worker_lost" as const, detail: "lost" };
  answers("get", `/v1/workflows/${ID}`, workflow({ state: "failed", error, steps: [step({ state: "failed" })] }));
  await queries.invalidateQueries({ queryKey: ["workflow", ID] });
  expect(await screen.findByText("The step split failed.")).toBeVisible();
  expect(announced.get().urgent).toContain("Yellow failed");
  const next = "88888888888888888888888888888888";
  answers("post", `/v1/workflows/${ID}/retry`, workflow({ id: next, retry_of: ID }), 201);
  await userEvent.click(screen.getByRole("button", { name: "Try again from what failed" }));
  await waitFor(() => expect(location.pathname).toBe(`/app/workflows/${next}`));
  unmount();
});

test("it is canceled, and deleted after a question; one that is gone says so", async () => {
  answers("get", `/v1/workflows/${ID}`, workflow());
  answers("post", `/v1/workflows/${ID}/cancel`, workflow({ state: "canceled" }));
  server.use(http.delete(`*/v1/workflows/${ID}`, () => new HttpResponse(null, { status: 204 })));
  show(<WorkflowPage id={ID} />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(await screen.findByText("Canceled")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Delete" }));
  answers("get", `/v1/workflows/${ID}`, problem("workflow_not_found", 404), 404);
  await userEvent.click(screen.getByRole("button", { name: "Delete for good" }));
  await waitFor(() => expect(location.pathname).toBe("/app/recipes"));
  show(<WorkflowPage id={ID} />);
  expect(await screen.findByRole("heading", { name: "This workflow is gone" })).toBeVisible();
});
