import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { prefer } from "../src/app/preferences";
import { SignIn } from "../src/session/SignIn";
import { DEFAULTS, remembered, requestOf } from "../src/studio/options";
import { Rate } from "../src/studio/rate";
import { Studio } from "../src/studio/Studio";
import { job, limits, problem, session, valid } from "./fixtures";
import { answers, server, show } from "./server";

const upload = valid("Upload", {
  upload_id: "up1",
  method: "PUT",
  url: "http://localhost:3000/put/up1",
  headers: { "Content-Type": "application/octet-stream", "Content-Length": "5" },
  expires_at: "2026-11-28T13:00:00+00:00",
  kept_until: "2026-11-29T12:00:00+00:00",
  max_bytes: 1000,
});

beforeEach(() => prefer({ options: {} }));

function song(size = 5, name = "song.flac"): File {
  return new File(["x".repeat(size)], name, { type: "audio/flac" });
}

async function choose(...files: File[]): Promise<void> {
  await userEvent.upload(await screen.findByLabelText("Choose songs"), files, { applyAccept: false });
}

test("a song's bytes go at once, and its job follows when its options are chosen", async () => {
  const bodies: unknown[] = [];
  let type: string | null = null;
  answers("post", "/v1/uploads", upload, 201);
  server.use(
    http.put("*/put/up1", ({ request }) => {
      type = request.headers.get("Content-Type");
      return new HttpResponse(null, { status: 200 });
    }),
    http.post("*/v1/separations:from-source", async ({ request }) => {
      bodies.push(await request.json());
      return HttpResponse.json(job({ state: "queued" }), { status: 201 });
    }),
  );
  show(<Studio />);
  await choose(song());
  expect(await screen.findByText(/Ready/)).toBeVisible();
  expect(type).toBe("application/octet-stream");
  await userEvent.click(await screen.findByLabelText("Vocals and the rest"));
  await userEvent.click(screen.getByRole("button", { name: "Separate 1 song" }));
  await waitFor(() =>
    expect(bodies).toEqual([{ source: { upload_id: "up1" }, format: "flac", stems: ["vocals", "no_vocals"] }]),
  );
  await waitFor(() => expect(location.pathname).toBe(`/app/jobs/${job().id}`));
});

test("what one wants stands beside the models, as far as it is served", async () => {
  const bodies: unknown[] = [];
  answers("post", "/v1/uploads", upload, 201);
  answers("put", "/put/up1", null);
  server.use(
    http.post("*/v1/separations:from-source", async ({ request }) => {
      bodies.push(await request.json());
      return HttpResponse.json(job({ state: "queued" }), { status: 201 });
    }),
  );
  show(<Studio />);
  await choose(song());
  const choices = await screen.findByLabelText("Model");
  expect(choices).not.toHaveTextContent("dereverb");
  await userEvent.selectOptions(choices, "karaoke: the song without its singer");
  expect(choices).toHaveValue("karaoke");
  expect(screen.getByText("quality karaoke: demo")).toBeVisible();
  expect(await screen.findByText(/Ready/)).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Separate 1 song" }));
  await waitFor(() => expect(bodies).toEqual([{ source: { upload_id: "up1" }, format: "flac", model: "karaoke" }]));
});

test("a file above the limit is refused before anything is sent", async () => {
  show(<Studio />);
  await screen.findByText(/Up to 1 kB/);
  await choose(song(1001));
  expect(await screen.findByText("This file is too large.")).toBeVisible();
});

test("a full queue is waited for by Retry-After, and a form that does not fit goes back to its options", async () => {
  answers("post", "/v1/uploads", upload, 201);
  answers("put", "/put/up1", null);
  let tries = 0;
  const keys = new Set<string | null>();
  server.use(
    http.post("*/v1/separations:from-source", ({ request }) => {
      tries += 1;
      keys.add(request.headers.get("Idempotency-Key"));
      if (tries === 1)
        return HttpResponse.json(problem("queue_full", 429), { status: 429, headers: { "Retry-After": "1" } });
      return HttpResponse.json(problem("bad_options", 422), { status: 422 });
    }),
  );
  show(<Studio />);
  await choose(song());
  await userEvent.click(await screen.findByRole("button", { name: "Separate 1 song" }));
  expect(await screen.findByText("The queue is full.")).toBeVisible();
  expect(await screen.findByText("An option is out of its range.", {}, { timeout: 5000 })).toBeVisible();
  expect(keys.size).toBe(1);
  await userEvent.click(screen.getByRole("button", { name: "Change options" }));
  expect(screen.getByRole("button", { name: "Separate 1 song" })).toBeEnabled();
});

test("a broken link is not taken, a whole one is", async () => {
  show(<Studio />);
  const field = await screen.findByLabelText("Or a link to a song");
  await userEvent.type(field, "not a link{Enter}");
  expect(await screen.findByText(/Give a whole address/)).toBeVisible();
  await userEvent.clear(field);
  await userEvent.type(field, "https://example.com/song.mp3{Enter}");
  expect(await screen.findByText("Link, fetched by the service")).toBeVisible();
});

/** What a browser hands over with a drop or a paste: files, and folders, which it can't read as files. */
function carried(files: File[], folders: string[] = []) {
  const item = (file: File, isDirectory: boolean) => ({
    kind: "file",
    getAsFile: () => file,
    webkitGetAsEntry: () => ({ isDirectory }),
  });
  const items = [...files.map((file) => item(file, false)), ...folders.map((name) => item(song(0, name), true))];
  return { types: ["Files"], items };
}

test("songs dropped at once become a row and a job each, without the folder and the one that is too large", async () => {
  const named: string[] = [];
  const sent: string[] = [];
  const bodies: unknown[] = [];
  server.use(
    http.post("*/v1/uploads", async ({ request }) => {
      named.push(((await request.json()) as { filename: string }).filename);
      const id = `up${named.length}`;
      return HttpResponse.json({ ...upload, upload_id: id, url: `http://localhost:3000/put/${id}` }, { status: 201 });
    }),
    http.put("*/put/:id", ({ params }) => {
      sent.push(String(params.id));
      return new HttpResponse(null, { status: 200 });
    }),
    http.post("*/v1/separations:from-source", async ({ request }) => {
      bodies.push(await request.json());
      const id = String(bodies.length).repeat(32);
      return HttpResponse.json(job({ id, state: "queued" }), { status: 201 });
    }),
  );
  history.replaceState(null, "", "/");
  show(<Studio />);
  await screen.findByText(/Up to 1 kB/);
  const files = [song(5, "one.flac"), song(6, "two.flac"), song(7, "three.flac"), song(1001, "large.flac")];
  const dataTransfer = carried(files, ["album"]);
  fireEvent.dragEnter(document.body, { dataTransfer });
  expect(screen.getByText("Let go to add these songs")).toBeVisible();
  fireEvent.drop(document.body, { dataTransfer });
  expect(screen.queryByText("Let go to add these songs")).toBeNull();

  await waitFor(() => expect(screen.getAllByText(/Ready/)).toHaveLength(3));
  expect([...named].sort()).toEqual(["one.flac", "three.flac", "two.flac"]);
  expect([...sent].sort()).toEqual(["up1", "up2", "up3"]);
  expect(screen.getByText("This file is too large.")).toBeVisible();
  expect(screen.queryByText("album")).toBeNull();

  await userEvent.click(screen.getByRole("button", { name: "Separate 3 songs" }));
  await waitFor(() => expect(bodies).toHaveLength(3));
  expect(new Set(bodies.map((body) => (body as { source: { upload_id: string } }).source.upload_id)).size).toBe(3);
  expect(location.pathname).toBe("/"); // several stand in the list below; the last opens no page, either
});

test("a large song goes in parts, and goes on with those that lack when the connection breaks", async () => {
  const size = 40 * 1024 * 1024;
  const part = 16 * 1024 * 1024;
  const asked: unknown[] = [];
  const came: string[] = [];
  let broken = false;
  server.use(
    http.get("*/v1/limits", () => HttpResponse.json({ ...limits, max_upload_bytes: 2 * size })),
    http.post("*/v1/uploads", async ({ request }) => {
      asked.push([request.headers.get("Idempotency-Key"), await request.json()]);
      const parts = [1, 2, 3]
        .filter((number) => !came.includes(String(number)))
        .map((number) => ({
          number,
          offset: (number - 1) * part,
          bytes: Math.min(part, size - (number - 1) * part),
          url: `http://localhost:3000/put/${number}`,
          headers: {},
        }));
      return HttpResponse.json({ ...upload, parts }, { status: 201 });
    }),
    http.put("*/put/:number", ({ params }) => {
      if (params.number === "2" && !broken) {
        broken = true;
        return HttpResponse.error();
      }
      came.push(String(params.number));
      return new HttpResponse(null, { status: 200 });
    }),
  );
  show(<Studio />);
  await screen.findByText(/Up to 8\d/);
  await choose(song(size, "long.flac"));

  await screen.findByText(/Ready/, undefined, { timeout: 10_000 });
  expect(came).toEqual(["1", "2", "3"]);
  expect(asked).toHaveLength(2);
  expect(asked[0]).toEqual(asked[1]); // the same key: the service knows what came
  expect(asked[0]).toEqual([expect.any(String), { filename: "long.flac", bytes: size, parts: true }]);
});

test("a dragged text is not taken for a song", async () => {
  show(<Studio />);
  await screen.findByText(/Up to 1 kB/);
  fireEvent.dragEnter(document.body, { dataTransfer: { types: ["text/plain"], items: [] } });
  expect(screen.queryByText("Let go to add these songs")).toBeNull();
});

test("a pasted link is added by Enter, and a pasted file at once", async () => {
  answers("post", "/v1/uploads", upload, 201);
  answers("put", "/put/up1", null);
  show(<Studio />);
  const field = await screen.findByLabelText("Or a link to a song");
  await userEvent.click(field);
  await userEvent.paste(" https://example.com/song.mp3 ");
  await userEvent.keyboard("{Enter}");
  expect(await screen.findByText("https://example.com/song.mp3")).toBeVisible();
  expect(field).toHaveValue("");
  fireEvent.paste(document.body, { clipboardData: carried([song(5, "pasted.flac")]) });
  expect(await screen.findByText("pasted.flac")).toBeVisible();
  expect(await screen.findByText(/Ready/)).toBeVisible();
});

test("a request says only what differs from the defaults", () => {
  expect(requestOf(DEFAULTS, { url: "https://a.example" })).toEqual({
    source: { url: "https://a.example" },
    format: "flac",
  });
  const asked = {
    ...DEFAULTS,
    formats: ["flac", "mp3"] as const,
    split: "chosen" as const,
    stems: ["bass"],
    shifts: 2,
    end: 30,
  };
  expect(requestOf(asked, {})).toEqual({ source: {}, formats: ["flac", "mp3"], stems: ["bass"], shifts: 2, end: 30 });
});

test("options of another release are remembered as far as they fit", () => {
  expect(remembered({ split: "two", shifts: "many", gone: 1, start: 5 })).toEqual({ ...DEFAULTS, split: "two" });
});

test("the rate is of the last seconds, and unknown at first", () => {
  const rate = new Rate(5000);
  expect(rate.after(0, 0)).toBeNull();
  expect(rate.after(100, 500)).toBeNull();
  expect(rate.after(2000, 2000)).toBe(1000);
  rate.after(2000, 6000);
  expect(rate.after(2000, 10_000)).toBe(0);
});

test("a wrong key is told, a right one opens the page", async () => {
  answers("post", "/v1/session", problem("unauthorized", 401), 401);
  show(<SignIn />);
  await userEvent.type(screen.getByLabelText("Key"), "sk-wrong{Enter}");
  expect(await screen.findByText("This key is unknown, expired or revoked.")).toBeVisible();
  let sent: unknown;
  server.use(
    http.post("*/v1/session", async ({ request }) => {
      sent = await request.json();
      return HttpResponse.json(valid("Session", { ...session, open: false, signed_in: true, key_name: "band" }));
    }),
  );
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await waitFor(() => expect(sent).toEqual({ key: "sk-wrong" }));
  expect(JSON.stringify({ ...localStorage })).not.toContain("sk-wrong");
});
