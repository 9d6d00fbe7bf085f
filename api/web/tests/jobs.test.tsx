import { QueryClient } from "@tanstack/react-query";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { announced } from "../src/app/announce";
import { tookMove, tookProgress } from "../src/events/take";
import { JobPage } from "../src/jobs/JobPage";
import { Jobs } from "../src/jobs/Jobs";
import { Progress } from "../src/jobs/Progress";
import { job, problem, summary } from "./fixtures";
import { answers, server, show } from "./server";

test("the bar stands at the api's figure, and no higher", () => {
  show(<Progress job={job()} />);
  const bar = screen.getByRole("progressbar", { name: "Progress of Yellow" });
  expect(bar).toHaveAttribute("aria-valuenow", "58.1");
  expect(bar).toHaveAttribute("aria-valuetext", "Separating, 58 %");
  expect(screen.getByText(/about 40 seconds left/)).toBeVisible();
});

test("a stage without a figure has words and no number", () => {
  const progress = { fraction: 0, stage: "downloading", eta_seconds: null };
  show(<Progress job={job({ progress })} />);
  expect(screen.getByRole("progressbar")).not.toHaveAttribute("aria-valuenow");
  expect(screen.getByText("Downloading the model")).toBeVisible();
});

test("a queued job says its place, and a stage of a later release stands as it is", () => {
  const progress = { fraction: 0, stage: "tuning_up", eta_seconds: null };
  show(<Progress job={job({ state: "queued", queue_position: 3, progress })} />);
  expect(screen.getByText("tuning up")).toBeVisible();
  expect(screen.getByText(/3 jobs before this one/)).toBeVisible();
});

test("a second attempt says that the figures begin anew", () => {
  show(<Progress job={job({ attempt: 2, progress: { fraction: 0.1, stage: "separating", eta_seconds: null } })} />);
  expect(screen.getByText(/attempt 2 of 3/)).toBeVisible();
  expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "10");
});

test("events change what is shown by their own figures, and only where the job is", () => {
  const queries = new QueryClient();
  queries.setQueryData(["job", job().id], job());
  queries.setQueryData(["jobs", {}, 5], { pages: [{ jobs: [summary()], next_cursor: null }], pageParams: [null] });
  tookProgress(
    queries,
    JSON.stringify({ job_id: job().id, fraction: 0.7, stage: "separating", eta_seconds: 9, attempt: 2 }),
  );
  tookProgress(queries, JSON.stringify({ job_id: "another", fraction: 1, stage: "encoding", eta_seconds: null }));
  tookProgress(queries, "no json");
  expect(queries.getQueryData(["job", job().id])).toMatchObject({ progress: { fraction: 0.7 }, attempt: 2 });
  expect(queries.getQueryData(["jobs", {}, 5])).toMatchObject({
    pages: [{ jobs: [{ progress: { eta_seconds: 9 } }] }],
  });
  expect(queries.getQueryData(["job", "another"])).toBeUndefined();
  tookMove(queries, JSON.stringify({ job_id: job().id, job: summary({ state: "succeeded" }) }));
  expect(queries.getQueryData(["jobs", {}, 5])).toMatchObject({ pages: [{ jobs: [{ state: "succeeded" }] }] });
  expect(queries.getQueryState(["job", job().id])?.isInvalidated).toBe(true);
});

test("a failed job has words, and Try again makes a new job", async () => {
  const error = { code: "worker_lost" as const, detail: "lost on each attempt" };
  answers("get", "/v1/jobs/:id", job({ state: "failed", error }));
  let asked = "";
  server.use(
    http.post("*/v1/jobs/:id/retry", ({ request }) => {
      asked = request.headers.get("Idempotency-Key") ?? "";
      return HttpResponse.json(job({ id: "11111111111111111111111111111111", state: "queued" }), { status: 201 });
    }),
  );
  show(<JobPage id={job().id} />);
  expect(await screen.findByText("The worker was lost on each attempt.")).toBeVisible();
  await userEvent.click(screen.getAllByRole("button", { name: "Try again" })[0] as HTMLElement);
  await waitFor(() => expect(asked).toMatch(/^\w{32}$/));
});

test("a running job is canceled once, says so, and offers to separate again", async () => {
  answers("get", "/v1/jobs/:id", job());
  const asked: string[] = [];
  server.use(
    http.post("*/v1/jobs/:id/cancel", ({ params }) => {
      asked.push(String(params.id));
      return HttpResponse.json(job({ state: "canceled", finished_at: "2026-11-28T12:01:00+00:00" }));
    }),
  );
  show(<JobPage id={job().id} />);
  await screen.findByRole("progressbar");
  await userEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(await screen.findByText("This job was canceled.")).toBeVisible();
  expect(asked).toEqual([job().id]);
  expect(announced.get().polite.trim()).toBe("Canceled");
  expect(screen.queryByRole("progressbar")).toBeNull();
  expect(screen.queryByRole("button", { name: "Cancel" })).toBeNull();
  expect(screen.getAllByRole("button", { name: "Separate again" })[0]).toBeVisible();
});

test("a job that ended before it could be canceled goes on to its end, and the page says why", async () => {
  answers("get", "/v1/jobs/:id", job());
  answers("post", "/v1/jobs/:id/cancel", problem("job_finished", 409), 409);
  show(<JobPage id={job().id} />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(await screen.findByText("job_finished")).toBeInTheDocument();
  expect(screen.getByRole("progressbar")).toBeVisible();
});

test("a job that is gone says so", async () => {
  answers("get", "/v1/jobs/:id", { code: "job_not_found", detail: "gone", status: 404 }, 404);
  show(<JobPage id="0" />);
  expect(await screen.findByRole("heading", { name: "This job is gone" })).toBeVisible();
});

test("the end of a job is announced once it comes, not when the page opens on it", async () => {
  answers("get", "/v1/jobs/:id", job());
  const { unmount } = show(<JobPage id={job().id} />);
  await screen.findByRole("progressbar");
  const before = announced.get().polite;
  answers("get", "/v1/jobs/:id", job({ state: "succeeded", finished_at: "2026-11-28T12:01:00+00:00" }));
  const { queries } = await import("../src/app/queries");
  await queries.invalidateQueries({ queryKey: ["job", job().id] });
  await waitFor(() => expect(announced.get().polite).toBe("Stems of Yellow are ready"));
  expect(before).not.toContain("ready");
  unmount();
});

test("search asks the api, and an empty answer offers to clear it", async () => {
  server.use(
    http.get("*/v1/jobs", ({ request }) => {
      const q = new URL(request.url).searchParams.get("q");
      return HttpResponse.json({ jobs: q ? [] : [summary()], next_cursor: null });
    }),
  );
  show(<Jobs />);
  expect(await screen.findByRole("link", { name: "Yellow" })).toBeVisible();
  await userEvent.type(screen.getByLabelText("Search names"), "blue");
  expect(await screen.findByText("No job fits")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Clear filters" }));
  expect(await screen.findByRole("link", { name: "Yellow" })).toBeVisible();
});

test("the state filter asks the api for jobs of one state, and any state is no filter", async () => {
  const asked: string[][] = [];
  server.use(
    http.get("*/v1/jobs", ({ request }) => {
      const states = new URL(request.url).searchParams.getAll("state");
      asked.push(states);
      const failed = summary({ id: "2".repeat(32), name: "Clocks", state: "failed" });
      const all = [summary(), failed];
      return HttpResponse.json({
        jobs: all.filter((one) => states.length === 0 || states.includes(one.state)),
        next_cursor: null,
      });
    }),
  );
  show(<Jobs />);
  expect(await screen.findByRole("link", { name: "Yellow" })).toBeVisible();
  const filter = screen.getByLabelText("State");
  await userEvent.selectOptions(filter, "Failed");
  await waitFor(() => expect(screen.queryByRole("link", { name: "Yellow" })).toBeNull());
  expect(await screen.findByRole("link", { name: "Clocks" })).toBeVisible();
  expect(asked.at(-1)).toEqual(["failed"]);
  await userEvent.selectOptions(filter, "Canceled");
  expect(await screen.findByText("No job fits")).toBeVisible();
  expect(asked.at(-1)).toEqual(["canceled"]);
  await userEvent.selectOptions(filter, "Any");
  expect(await screen.findByRole("link", { name: "Yellow" })).toBeVisible();
  expect(asked[0]).toEqual([]);
});
