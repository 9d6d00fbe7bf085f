import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Job } from "../../src/api";
import { preferences } from "../../src/app/preferences";
import { PlayerContext } from "../../src/player/context";
import { Engine } from "../../src/player/engine";
import { LaneRow } from "../../src/player/LaneRow";
import { type Lane, lanes } from "../../src/player/lanes";
import { firstMix } from "../../src/player/mix";
import { operate } from "../../src/player/shortcuts";
import type { Source } from "../../src/player/source";
import { Viewport } from "../../src/player/view";

const RATE = 100;
const STEMS = ["vocals", "drums"];
const file = (stem: string, silent: boolean) => ({
  stem,
  url: `/${stem}`,
  filename: `${stem}.flac`,
  format: "flac",
  content_type: "audio/flac",
  silent,
});
const JOB = {
  id: "0".repeat(32),
  files: { vocals: { ...file("vocals", false), loudness_lufs: -14.2 }, drums: file("drums", true) },
} as unknown as Job;

/** An engine with a song of 100 seconds, before anybody lets it sound. */
function opened(): Engine {
  const engine = new Engine(JOB);
  const source: Source = {
    rate: RATE,
    frames: 100 * RATE,
    segmentFrames: 4 * RATE,
    stems: STEMS,
    load: async () => [],
    reuse() {},
  };
  engine.source = source;
  engine.mix.set(firstMix(STEMS));
  return engine;
}

beforeEach(() => {
  localStorage.clear();
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
});

test("what can't be heard has no lane, and the whole has none beside its parts", () => {
  const score = { ...file("score", false), content_type: "application/json" };
  const made = (files: object) => lanes({ ...JOB, files } as unknown as Job).map((lane) => lane.stem);
  expect(made({ mix: file("mix", false), score })).toEqual(["mix"]);
  expect(made({ mix: file("mix", false), drums: file("drums", false), bass: file("bass", false), score })).toEqual([
    "drums",
    "bass",
  ]);
});

function show(engine: Engine): Lane[] {
  const found = lanes(JOB);
  const parts = { job: JOB, engine, view: new Viewport(100), lanes: found, peaks: null, drawing: 0, gain: 1 };
  render(
    <PlayerContext value={parts}>
      {found.map((lane, place) => (
        <LaneRow key={lane.stem} lane={lane} place={place} />
      ))}
    </PlayerContext>,
  );
  return found;
}

describe("a lane", () => {
  test("is a group by its stem's name, described by how loud it is", () => {
    show(opened());
    expect(screen.getByRole("group", { name: "Vocals" })).toHaveAccessibleDescription("-14.2 LUFS");
    expect(screen.getByRole("group", { name: "Drums" })).toHaveAccessibleDescription("silent");
    expect(screen.getByRole("link", { name: "Download Vocals, FLAC" })).toHaveAttribute("href", "/vocals");
  });

  test("mutes and solos by buttons whose names stay", async () => {
    const engine = opened();
    show(engine);
    const user = userEvent.setup();
    await user.click(screen.getByRole("button", { name: "Mute Vocals" }));
    expect(screen.getByRole("button", { name: "Mute Vocals" })).toHaveAttribute("aria-pressed", "true");
    await user.click(screen.getByRole("button", { name: "Solo Vocals" }));
    expect(engine.strip("vocals")).toMatchObject({ mute: true, solo: true });
    expect(screen.getByRole("group", { name: "Drums" })).toHaveAccessibleDescription("silent, silenced by solo");
  });

  test("with Ctrl solos one stem alone, and once more lets all be heard", async () => {
    const engine = opened();
    show(engine);
    const user = userEvent.setup();
    engine.set("drums", { solo: true });
    await user.keyboard("{Control>}");
    await user.click(screen.getByRole("button", { name: "Solo Vocals" }));
    expect(STEMS.map((stem) => engine.strip(stem).solo)).toEqual([true, false]);
    await user.click(screen.getByRole("button", { name: "Solo Vocals" }));
    expect(STEMS.map((stem) => engine.strip(stem).solo)).toEqual([false, false]);
  });

  test("has a volume in words, which keys move by 3 dB and put back", async () => {
    const engine = opened();
    show(engine);
    const user = userEvent.setup();
    const volume = screen.getByRole("slider", { name: "Volume of Vocals" });
    volume.focus();
    await user.keyboard("{PageDown}");
    expect(volume).toHaveAttribute("aria-valuetext", "minus 3 decibels");
    await user.keyboard("{Delete}");
    expect(volume).toHaveAttribute("aria-valuetext", "0 decibels");
    const pan = screen.getByRole("spinbutton", { name: "Pan of Vocals, percent to the right" });
    await user.clear(pan);
    await user.type(pan, "-20");
    expect(screen.getByRole("slider", { name: "Pan of Vocals" })).toHaveAttribute("aria-valuetext", "20 percent left");
  });
});

describe("keys", () => {
  const press = (engine: Engine, init: KeyboardEventInit & { key: string }, at: EventTarget = document.body) => {
    const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });
    let done = false;
    const on = { engine, view: new Viewport(100), lanes: lanes(JOB), onDownload() {}, onHelp() {} };
    const listen = (given: Event) => {
      done = operate(given as KeyboardEvent, on);
    };
    document.addEventListener("keydown", listen);
    at.dispatchEvent(event);
    document.removeEventListener("keydown", listen);
    return done;
  };

  test("move, mute, loop and set the master", () => {
    const engine = opened();
    press(engine, { key: "ArrowRight" });
    press(engine, { key: "ArrowRight", shiftKey: true });
    expect(engine.position).toBe(6);
    press(engine, { key: "i" });
    press(engine, { key: "End" });
    press(engine, { key: "o" });
    expect(engine.mix.get()).toMatchObject({ loop: { start: 600, end: 10_000 }, looping: true });
    press(engine, { key: "L", shiftKey: true });
    expect(engine.mix.get().looping).toBe(false);
    press(engine, { key: "1", code: "Digit1" });
    press(engine, { key: '"', code: "Digit2", shiftKey: true });
    expect([engine.strip("vocals").mute, engine.strip("drums").solo]).toEqual([true, true]);
    press(engine, { key: "ArrowDown" });
    expect(engine.mix.get().masterDb).toBe(-1);
    press(engine, { key: "[" });
    expect(engine.mix.get().tempo).toBe(0.95);
  });

  test("leave fields, focused buttons and the browser's own keys alone, and can be switched off", () => {
    const engine = opened();
    const field = document.body.appendChild(document.createElement("input"));
    const button = document.body.appendChild(document.createElement("button"));
    expect(press(engine, { key: "ArrowRight" }, field)).toBe(false);
    expect(press(engine, { key: " " }, button)).toBe(false);
    expect(press(engine, { key: "d", ctrlKey: true })).toBe(false);
    preferences.set({ ...preferences.get(), shortcuts: false });
    expect(press(engine, { key: "ArrowRight" })).toBe(false);
    preferences.set({ ...preferences.get(), shortcuts: true });
    expect(engine.position).toBe(0);
    field.remove();
    button.remove();
  });
});

test("the mix of a job is remembered", () => {
  const engine = opened();
  engine.set("vocals", { db: -6 });
  engine.close();
  expect(JSON.parse(localStorage.getItem(`stemsvc.mix.1.${JOB.id}`) ?? "{}").strips.vocals.db).toBe(-6);
});
