import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, describe, expect, test, vi } from "vitest";
import AnalysisView from "../src/analysis/AnalysisView";
import { type Analysis, within as between, spanAt } from "../src/analysis/analysis";
import type { Job, Pool } from "../src/api";
import { equalGains, factsOf } from "../src/mastering/facts";
import MasterView from "../src/mastering/MasterView";
import { originalOf, pairOf } from "../src/mastering/pair";
import NotesView from "../src/notes/NotesView";
import { barsIn, pitchRange, soundingIn, type Transcription } from "../src/notes/notes";
import { Engine } from "../src/player/engine";
import { firstMix } from "../src/player/mix";
import { allTracks, heardTracks, sourcesOf } from "../src/work/heard";
import { servedKinds } from "../src/work/served";
import Workbench from "../src/work/Workbench";
import { works } from "../src/work/works";
import { job, limits, problem, valid } from "./fixtures";
import { answers, server, show } from "./server";

const KINDS = ["separate", "analyze", "mix", "master", "transcribe", "export"];

function pool(kind: string, values: Partial<Pool> = {}): Pool {
  return valid("Pool", {
    name: `${kind}.cpu`,
    kinds: [kind],
    models: [],
    device: "cpu",
    precision: null,
    slots: 1,
    queued: 0,
    running: 0,
    jobs: 0,
    waiting: { high: 0, normal: 0, low: 0 },
    workers: [],
    ...values,
  });
}

function file(name: string, values: Partial<Job["files"][string]> = {}): Job["files"][string] {
  return valid("Stem", {
    url: `http://localhost:3000/v1/files/${name}`,
    expires_at: "2026-11-28T13:00:00+00:00",
    kept_until: null,
    filename: name,
    bytes: 1000,
    sha256: name.padEnd(64, "0"),
    content_type: "audio/flac",
    stem: name,
    format: "flac",
    ...values,
  });
}

const STEMS = ["drums", "bass", "other", "vocals"];
const separated = job({
  state: "succeeded",
  files: Object.fromEntries(STEMS.map((stem) => [stem, file(stem)])),
});

beforeEach(() => {
  localStorage.clear();
  works.set([]);
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
  HTMLCanvasElement.prototype.getContext = (() => null) as typeof HTMLCanvasElement.prototype.getContext;
  answers("get", "/v1/limits", { ...limits, kinds: KINDS });
  answers("get", "/v1/pools", { pools: KINDS.map((kind) => pool(kind)) });
});

describe("what is offered", () => {
  test("is what is installed, in a pool, and can be done by one of its workers where those are told", () => {
    const worker = { id: "w", kinds: ["separate"], models: [] } as unknown as Pool["workers"][number];
    const pools = [pool("separate"), { ...pool("master"), kinds: ["*"], workers: [worker] }, pool("mix")];
    expect([...servedKinds(["separate", "master", "mix", "export"], pools)]).toEqual(["separate", "mix"]);
  });

  test("is nothing where no pool does it", async () => {
    answers("get", "/v1/pools", { pools: [pool("separate"), pool("transcribe")] });
    show(<Workbench job={separated} />);
    expect(await screen.findByRole("tab", { name: "Notes" })).toBeVisible();
    expect(screen.queryByRole("tab", { name: "Master" })).toBeNull();
  });
});

describe("what is mixed first", () => {
  test("is each stem as it is, sums and other formats left out", () => {
    const files = {
      ...separated.files,
      no_vocals: file("no_vocals"),
      "bass.mp3": file("bass.mp3", { stem: "bass", format: "mp3" }),
    };
    expect(allTracks({ ...separated, files }).map((track) => track.source.output)).toEqual(STEMS);
    const two = { vocals: file("vocals"), no_vocals: file("no_vocals") };
    expect(allTracks({ ...separated, files: two }).map((track) => track.name)).toEqual(["vocals", "no_vocals"]);
  });

  test("or what the player plays: levels and pans of what is not silent", () => {
    const engine = new Engine(separated);
    engine.source = {
      rate: 100,
      frames: 1000,
      segmentFrames: 400,
      stems: STEMS,
      load: async () => [],
      reuse: () => undefined,
    };
    engine.mix.set(firstMix(STEMS));
    engine.set("vocals", { mute: true });
    engine.set("bass", { db: -6, pan: 0.5 });
    engine.set("other", { db: -60 });
    expect(heardTracks(separated, engine)).toEqual([
      { name: "drums", source: { job_id: separated.id, output: "drums" }, gain_db: 0, pan: 0 },
      { name: "bass", source: { job_id: separated.id, output: "bass" }, gain_db: -6, pan: 0.5 },
    ]);
  });

  test("the first of several sources is named apart", () => {
    const named = (output: string) => ({ job_id: separated.id, output });
    expect(sourcesOf(separated, ["a", "b"])).toEqual({ source: named("a"), sources: [named("b")] });
    expect(sourcesOf(separated, ["a"])).toEqual({ source: named("a") });
  });
});

describe("a master", () => {
  const facts = {
    preset: "streaming",
    intensity: 0.5,
    before: { loudness_lufs: -20.5, true_peak_db: -6, width: 0.1 },
    after: { loudness_lufs: -14, true_peak_db: -1.02, width: 0.2 },
    stages: [
      { stage: "eq", parameters: { low_db: 0.5, high_db: null }, rms_in_db: -23, rms_out_db: -22.5, peak_out_db: -5 },
    ],
    target_lufs: -14,
    ceiling_db: -1,
    gain_db: 6.5,
    limiter: { most_reduction_db: 1.25, share_of_time: 0.02 },
  };
  const mixId = "22222222222222222222222222222222";
  const master = job({
    id: "11111111111111111111111111111111",
    kind: "master",
    state: "succeeded",
    facts,
    inputs: [{ name: "mix.wav", role: "source", job_id: mixId, output: "mix" }],
    files: { master: file("master.wav") },
  });

  test("is compared at equal loudness by turning the louder one down", () => {
    const found = factsOf(master);
    expect(found && equalGains(found)).toEqual({ original: 0, master: -6.5 });
    expect(equalGains({ before: { loudness_lufs: null }, after: { loudness_lufs: -70 } })).toBeNull();
    expect(factsOf(job({ facts: {} }))).toBeNull();
  });

  test("finds its original by its inputs, and both are stems of one job", () => {
    expect(originalOf(master)).toEqual({ job_id: mixId, output: "mix" });
    expect(originalOf(job({ inputs: [{ name: "song.wav", role: "source", job_id: null, output: null }] }))).toBeNull();
    const mix = job({ id: mixId, kind: "mix", state: "succeeded", files: { mix: file("mix.wav") } });
    const pair = pairOf(master, mix, "mix");
    expect(Object.entries(pair?.files ?? {}).map(([name, one]) => [name, one.stem, one.url])).toEqual([
      ["original", "original", "http://localhost:3000/v1/files/mix.wav"],
      ["master", "master", "http://localhost:3000/v1/files/master.wav"],
    ]);
    expect(pairOf(master, mix, "gone")).toBeNull();
  });

  test("shows figures before and after, and plays alone where the original is gone", async () => {
    answers("get", `/v1/jobs/${mixId}`, problem("job_not_found", 404), 404);
    show(<MasterView job={master} />);
    const table = screen.getByRole("table", { name: "Before and after" });
    expect(within(table).getByRole("row", { name: "Loudness, LUFS -20.5 -14" })).toBeVisible();
    expect(screen.getByText(/at most 1.25 dB, 2 % of the time/)).toBeVisible();
    expect(await screen.findByText(/The original is not kept here/)).toBeVisible();
  });
});

describe("an analysis", () => {
  const found: Analysis = {
    duration_seconds: 24,
    bpm: 120.04,
    bpm_candidates: [
      { bpm: 120.04, score: 0.8 },
      { bpm: 60.02, score: 0.4 },
    ],
    steady: true,
    time_signature: "4/4",
    beats: [0, 0.5, 1, 1.5, 2],
    downbeats: [0, 2],
    key: "F# minor",
    camelot: "11A",
    open_key: "4m",
    tuning_hz: 440,
    chords: [
      { start: 0, end: 2, label: "F#m" },
      { start: 2, end: 4, label: "N" },
    ],
    sections: [{ start: 0, end: 24, label: "A" }],
    loudness: { integrated_lufs: -14.2, range_lu: 5, true_peak_dbtp: -1 },
    stems: "given",
  };
  const analysed = (facts: object) => job({ kind: "analyze", state: "succeeded", facts: facts as Job["facts"] });

  test("says its facts in words, and has chords as a table", async () => {
    show(<AnalysisView job={analysed(found)} />);
    expect(screen.getByText("F♯ minor, 11A (Camelot), 4m (Open Key)")).toBeVisible();
    expect(screen.getByText("120 BPM (perhaps 60)")).toBeVisible();
    expect(screen.getByText("5 beats, 2 bars")).toBeVisible();
    await userEvent.click(screen.getByText("Chords as a table"));
    expect(screen.getByRole("row", { name: "0:00.0 0:02.0 F♯m" })).toBeVisible();
    expect(screen.getByRole("row", { name: "0:02.0 0:04.0 none" })).toBeVisible();
  });

  test("of a song too long for facts comes from its file", async () => {
    const brief = { ...found, beats: null, chords: null };
    answers("get", "/v1/files/analysis", { ...found, beats: Array.from({ length: 6000 }, (_, at) => at) });
    show(<AnalysisView job={{ ...analysed(brief), files: { analysis: file("analysis") } }} />);
    expect(await screen.findByText("6,000 beats, 2 bars")).toBeVisible();
  });

  test("of silence says that there is nothing to say", () => {
    const nothing = { bpm: null, bpm_candidates: [], steady: null, time_signature: null, key: null, tuning_hz: null };
    const empty = { beats: [], downbeats: [], chords: [], sections: [], stems: undefined };
    const loudness = { integrated_lufs: null, range_lu: null, true_peak_dbtp: null };
    show(<AnalysisView job={analysed({ ...found, ...nothing, ...empty, loudness })} />);
    expect(screen.getByText(/too little music/)).toBeVisible();
  });

  test("finds what sounds at a moment, and what lies between two", () => {
    expect(spanAt(found.chords ?? [], 1.99)?.label).toBe("F#m");
    expect(spanAt(found.chords ?? [], 2)?.label).toBe("N");
    expect(spanAt(found.chords ?? [], 4)).toBeNull();
    expect(between([0, 0.5, 1, 1.5, 2], 0.5, 1.5)).toEqual([1, 4]);
  });
});

describe("notes", () => {
  const note = (start: number, end: number, pitch: number, name: string) => ({ start, end, pitch, name, velocity: 90 });
  const found: Transcription = {
    version: 1,
    bpm: 120,
    tempo: "found",
    time_signature: "4/4",
    key: "C major",
    duration_seconds: 8,
    tempo_map: [
      { seconds: 0, beat: 0, bpm: 120 },
      { seconds: 4, beat: 8, bpm: 60 },
    ],
    stems: [
      { name: "bass", channel: 1, program: 34, notes: [note(0, 1, 36, "C2"), note(5, 6, 43, "G2")] },
      { name: "drums", channel: 10, program: 1, notes: [] },
    ],
  };

  test("have bars by the tempo map, a range with room, and those of a part", () => {
    expect(barsIn(found, 0, 8)).toEqual([0, 2, 4]);
    expect(barsIn(found, 1, 3)).toEqual([2]);
    expect(pitchRange(found.stems)).toEqual([32, 46]);
    expect(pitchRange([])).toBeNull();
    expect(soundingIn(found.stems[0]?.notes ?? [], 0.5, 5)).toHaveLength(1);
  });

  test("are summed up for each stem with its MIDI, and listed for the part that is shown", async () => {
    const files = {
      notes: file("notes", { content_type: "application/json" }),
      bass: file("bass", { content_type: "audio/midi", filename: "bass.mid" }),
      all: file("all", { content_type: "audio/midi", filename: "all.mid" }),
    };
    answers("get", "/v1/files/notes", { ...found } as never);
    show(<NotesView job={job({ kind: "transcribe", state: "succeeded", files })} />);
    const summary = await screen.findByRole("table", { name: "Notes of each stem" });
    expect(within(summary).getByRole("row", { name: /^bass 2 C2 – G2 0:00 – 0:06/ })).toBeVisible();
    expect(within(summary).getByRole("row", { name: /^drums 0 – –/ })).toBeVisible();
    expect(screen.getByRole("link", { name: "Download All as one MIDI file" })).toHaveAttribute("download", "all.mid");
    await userEvent.click(screen.getByText("Notes of this part as a table"));
    expect(screen.getByRole("row", { name: "0:05.00 bass G2 1 s 90" })).toBeVisible();
    await userEvent.click(screen.getByRole("checkbox", { name: "bass" }));
    expect(screen.getByText("There is no note in it.")).toBeVisible();
  });
});

describe("work on a job", () => {
  test("asks for the notes of its stems, and shows how far they are", async () => {
    let body: unknown;
    const made = job({ id: "33333333333333333333333333333333", kind: "transcribe", state: "queued" });
    server.use(
      http.post("*/v1/transcriptions:from-source", async ({ request }) => {
        body = await request.json();
        return HttpResponse.json(made, { status: 201 });
      }),
    );
    answers("get", `/v1/jobs/${made.id}`, {
      ...made,
      state: "running",
      progress: { fraction: 0.4, stage: "transcribing", eta_seconds: null },
    });
    show(<Workbench job={separated} />);
    await userEvent.click(await screen.findByRole("tab", { name: "Notes" }));
    await userEvent.selectOptions(await screen.findByLabelText("Grid"), "1/16");
    await userEvent.click(screen.getByRole("button", { name: "Write down the notes" }));
    await waitFor(() => expect(body).toMatchObject({ quantise: "1/16", source: { output: "drums" } }));
    expect((body as { sources: unknown[] }).sources).toHaveLength(3);
    expect(await screen.findByText("Writing down notes, 40 %")).toBeVisible();
  });

  test("mixes the stems first, then masters the mix, by one key however often it is tried", async () => {
    const mix = job({ id: "44444444444444444444444444444444", kind: "mix", state: "succeeded" });
    const made = job({ id: "55555555555555555555555555555555", kind: "master", state: "queued" });
    const bodies: unknown[] = [];
    const keys = new Set<string | null>();
    server.use(
      http.post("*/v1/mixes:from-source", async ({ request }) => {
        bodies.push(await request.json());
        return HttpResponse.json({ ...mix, state: "running" }, { status: 201 });
      }),
      http.post("*/v1/masters:from-source", async ({ request }) => {
        keys.add(request.headers.get("Idempotency-Key"));
        bodies.push(await request.json());
        return HttpResponse.json(made, { status: 201 });
      }),
    );
    answers("get", `/v1/jobs/${mix.id}`, mix);
    answers("get", `/v1/jobs/${made.id}`, made);
    show(<Workbench job={separated} />);
    await userEvent.click(await screen.findByRole("tab", { name: "Master" }));
    await userEvent.selectOptions(await screen.findByLabelText("Preset"), "club");
    await userEvent.click(screen.getByRole("button", { name: "Master it" }));
    const { queries } = await import("../src/app/queries");
    await waitFor(() => expect(bodies).toHaveLength(1));
    await queries.invalidateQueries({ queryKey: ["job", mix.id] });
    await waitFor(() => expect(bodies).toHaveLength(2));
    expect(bodies[0]).toMatchObject({ format: "wav", bit_depth: "float32", tracks: STEMS.map((name) => ({ name })) });
    expect(bodies[1]).toMatchObject({ preset: "club", source: { job_id: mix.id, output: "mix" } });
    expect(keys.size).toBe(1);
    expect(works.get()).toEqual([{ of: separated.id, work: "master", id: made.id, mix: mix.id }]);
  });

  test("that is refused says why, and keeps the form", async () => {
    answers("post", "/v1/exports:from-source", problem("queue_full", 429), 429);
    show(<Workbench job={separated} />);
    await userEvent.click(await screen.findByRole("tab", { name: "Export" }));
    await userEvent.click(await screen.findByRole("checkbox", { name: "REAPER project" }));
    await userEvent.click(screen.getByRole("button", { name: "Export" }));
    expect(await screen.findByText("The queue is full.")).toBeVisible();
    expect(screen.getByRole("checkbox", { name: "REAPER project" })).toBeChecked();
  });

  test("that was deleted elsewhere is forgotten", async () => {
    works.set([{ of: separated.id, work: "export", id: "66666666666666666666666666666666" }]);
    answers("get", "/v1/jobs/66666666666666666666666666666666", problem("job_not_found", 404), 404);
    show(<Workbench job={separated} />);
    await waitFor(() => expect(works.get()).toEqual([]));
  });
});

test("arrows move among tabs, and Enter opens one", async () => {
  show(<Workbench job={separated} />);
  (await screen.findByRole("tab", { name: "Key and beats" })).focus();
  await userEvent.keyboard("{ArrowRight}{ArrowRight}{ArrowRight}");
  expect(screen.getByRole("tab", { name: "Export" })).toHaveFocus();
  await userEvent.keyboard("{ArrowRight}{Enter}");
  expect(screen.getByRole("tab", { name: "Key and beats" })).toHaveAttribute("aria-selected", "true");
  expect(await screen.findByRole("button", { name: "Find key, tempo and chords" })).toBeVisible();
});
