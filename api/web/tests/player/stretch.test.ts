import { describe, expect, test } from "vitest";
import { Deck } from "../../src/player/deck";
import { Stretch } from "../../src/player/stretch";

const RATE = 44100;
const BLOCK = 128;

/** A stretch of a sine; what it gives in so many seconds, and how much it took for it. */
function stretched(hertz: number, speed: number, semitones: number, seconds = 3): { out: Float32Array; taken: number } {
  let at = 0;
  const stretch = new Stretch(RATE, ({ left, right }) => {
    for (let i = 0; i < left.length; i += 1) {
      left[i] = 0.5 * Math.sin((2 * Math.PI * hertz * at) / RATE);
      right[i] = left[i] as number;
      at += 1;
    }
  });
  stretch.set(speed, semitones);
  const out = new Float32Array(Math.round((seconds * RATE) / BLOCK) * BLOCK);
  for (let i = 0; i < out.length; i += BLOCK) {
    stretch.render({ left: out.subarray(i, i + BLOCK), right: new Float32Array(BLOCK) });
  }
  return { out, taken: at - stretch.lag };
}

/** The pitch by upward crossings of zero, away from the ends. */
function pitch(samples: Float32Array): number {
  const inner = samples.subarray(RATE / 2, samples.length - RATE / 4);
  let first = -1;
  let last = -1;
  let count = 0;
  for (let i = 1; i < inner.length; i += 1) {
    const a = inner[i - 1] as number;
    const b = inner[i] as number;
    if (a < 0 && b >= 0) {
      const place = i - b / (b - a);
      if (first < 0) first = place;
      else count += 1;
      last = place;
    }
  }
  return (count * RATE) / (last - first);
}

function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
}

describe.each([0.5, 0.75, 1.1, 1.5])("at %s times the tempo", (speed) => {
  test("the pitch stays, the loudness too, and so much of the song goes by", () => {
    const { out, taken } = stretched(330, speed, 0);
    expect(pitch(out)).toBeCloseTo(330, 0);
    expect(rms(out.subarray(RATE / 2))).toBeCloseTo(0.5 / Math.SQRT2, 1);
    expect(taken / RATE / 3).toBeCloseTo(speed, 1);
  });
});

describe.each([-12, -5, 3, 12])("%s semitones away", (semitones) => {
  test("the pitch is so, the tempo stays", () => {
    const { out, taken } = stretched(330, 1, semitones);
    expect(pitch(out) / (330 * 2 ** (semitones / 12))).toBeCloseTo(1, 2);
    expect(taken / RATE / 3).toBeCloseTo(1, 1);
  });
});

test("what asks for no tempo and no pitch gets the mixer's own samples", () => {
  const track = { stems: 1, frames: 4000, segmentFrames: 4000, rate: RATE };
  const stem = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i));
  const deck = new Deck(track);
  deck.take({ type: "put", number: 0, segment: [[stem]] });
  deck.take({ type: "stretch", speed: 1, pitch: 0, drums: [] });
  deck.take({ type: "play" });
  const out = { left: new Float32Array(3968), right: new Float32Array(3968) };
  for (let at = 0; at < 3968; at += BLOCK) {
    deck.render({ left: out.left.subarray(at, at + BLOCK), right: out.right.subarray(at, at + BLOCK) });
  }
  expect(out.left.slice(500)).toEqual(stem.slice(500, 3968));
});

test("drums keep their pitch beside a voice that changes it", () => {
  const frames = 3 * RATE;
  const sine = (hertz: number) =>
    Float32Array.from({ length: frames }, (_, i) => 0.4 * Math.sin((2 * Math.PI * hertz * i) / RATE));
  const deck = new Deck({ stems: 2, frames, segmentFrames: frames, rate: RATE });
  deck.take({ type: "put", number: 0, segment: [[sine(200)], [sine(300)]] });
  deck.take({
    type: "gains",
    gains: [
      { left: 1, right: 0 },
      { left: 0, right: 1 },
    ],
    master: 1,
    now: true,
  });
  deck.take({ type: "stretch", speed: 1, pitch: 7, drums: [1] });
  deck.take({ type: "play" });
  const length = Math.floor((2.5 * RATE) / BLOCK) * BLOCK;
  const out = { left: new Float32Array(length), right: new Float32Array(length) };
  for (let at = 0; at < length; at += BLOCK) {
    deck.render({ left: out.left.subarray(at, at + BLOCK), right: out.right.subarray(at, at + BLOCK) });
  }
  expect(pitch(out.left) / (200 * 2 ** (7 / 12))).toBeCloseTo(1, 2);
  expect(pitch(out.right) / 300).toBeCloseTo(1, 2);
});
