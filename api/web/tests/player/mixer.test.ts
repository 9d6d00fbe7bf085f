import { describe, expect, test } from "vitest";
import { factor, gainOf, PLAIN } from "../../src/player/gains";
import { type Bus, Mixer, type Segment } from "../../src/player/mixer";

const RATE = 44100;
const SEGMENT = 1000;
const BLOCK = 128;
const RAMP = Math.round(RATE * 0.005);

function noise(seed: number, frames: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: frames }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 32;
  });
}

/** Stems [stem][channel] cut into segments. */
function segments(stems: Float32Array[][]): Segment[] {
  const frames = stems[0]?.[0]?.length ?? 0;
  return Array.from({ length: Math.ceil(frames / SEGMENT) }, (_, number) =>
    stems.map((channels) => channels.map((channel) => channel.slice(number * SEGMENT, (number + 1) * SEGMENT))),
  );
}

function mixer(stems: Float32Array[][]): Mixer {
  const frames = stems[0]?.[0]?.length ?? 0;
  const made = new Mixer({ stems: stems.length, frames, segmentFrames: SEGMENT, rate: RATE });
  segments(stems).forEach((segment, number) => {
    made.put(number, segment);
  });
  return made;
}

/** What is heard of so many samples, block by block as an audio thread asks for it. */
function heard(from: Mixer, frames: number): Bus {
  const whole = { left: new Float32Array(frames), right: new Float32Array(frames) };
  for (let at = 0; at < frames; at += BLOCK) {
    const end = Math.min(frames, at + BLOCK);
    from.render([{ left: whole.left.subarray(at, end), right: whole.right.subarray(at, end) }]);
  }
  return whole;
}

function negative(samples: Float32Array): Float32Array {
  return samples.map((sample) => -sample);
}

describe("the null test", () => {
  test("stems in pairs of opposite sign are silence, through seeks and seams", () => {
    const one = [noise(1, 20_000), noise(2, 20_000)];
    const two = [noise(3, 20_000), noise(4, 20_000)];
    const deck = mixer([one, one.map(negative), two, two.map(negative)]);
    deck.play();
    for (let turn = 0; turn < 20; turn += 1) {
      deck.seek((turn * 7919) % 19_000);
      const { left, right } = heard(deck, 900);
      expect(Math.max(...left.map(Math.abs), ...right.map(Math.abs))).toBe(0);
    }
  });

  test("one stem alone is the file, to the last bit, but for the fade at its beginning", () => {
    const stem = [noise(5, 5000), noise(6, 5000)];
    const deck = mixer([stem]);
    deck.play();
    const { left, right } = heard(deck, 5000);
    expect(left.slice(RAMP)).toEqual(stem[0]?.slice(RAMP));
    expect(right.slice(RAMP)).toEqual(stem[1]?.slice(RAMP));
  });

  test("a mono stem is heard on both sides", () => {
    const stem = noise(7, 2000);
    const deck = mixer([[stem]]);
    deck.play();
    const { left, right } = heard(deck, 2000);
    expect(left).toEqual(right);
    expect(left.slice(RAMP)).toEqual(stem.slice(RAMP));
  });
});

describe("the loop", () => {
  test("repeats the same samples, with none between", () => {
    const stem = noise(8, 9000);
    const deck = mixer([[stem]]);
    const start = 1234;
    const end = 4321;
    deck.loop = { start, end };
    deck.seek(start);
    deck.play();
    const { left } = heard(deck, 3 * (end - start));
    const once = stem.slice(start, end);
    expect(left.slice(RAMP, end - start)).toEqual(once.slice(RAMP));
    expect(left.slice(end - start, 2 * (end - start))).toEqual(once);
    expect(left.slice(2 * (end - start))).toEqual(once);
    expect(deck.turns).toBe(3);
  });

  test("up to the song's end begins again and does not end", () => {
    const deck = mixer([[noise(9, 2000)]]);
    deck.loop = { start: 1500, end: 2000 };
    deck.play();
    heard(deck, 4000);
    expect(deck.ended).toBe(false);
    expect(deck.position).toBeGreaterThanOrEqual(1500);
  });

  test("who is behind it plays on to the end", () => {
    const deck = mixer([[noise(10, 3000)]]);
    deck.loop = { start: 0, end: 1000 };
    deck.seek(2000);
    deck.play();
    heard(deck, 2000);
    expect(deck.ended).toBe(true);
    expect(deck.playing).toBe(false);
  });
});

describe("a change of the mix", () => {
  test("comes in a straight line of 5 ms", () => {
    const ones = new Float32Array(4000).fill(1);
    const deck = mixer([[ones]]);
    deck.play();
    heard(deck, BLOCK * 4);
    deck.setGain(0, { left: 0, right: 0.5 });
    const { left, right } = heard(deck, BLOCK * 4);
    for (let i = 0; i < RAMP; i += 1) {
      expect(left[i]).toBeCloseTo(1 - (i + 1) / RAMP, 4);
      expect(right[i]).toBeCloseTo(1 - (0.5 * (i + 1)) / RAMP, 4);
    }
    expect(left[RAMP]).toBe(0);
    expect(right[RAMP]).toBe(0.5);
  });

  test("moves no sample by more than a step of its ramp, whatever is pressed", () => {
    const ones = new Float32Array(60_000).fill(0.5);
    const deck = mixer([[ones], [ones]]);
    const out: number[] = [];
    const hear = (frames: number) => out.push(...heard(deck, frames).left);
    deck.play();
    hear(512);
    deck.setGain(1, { left: 0, right: 0 });
    hear(64);
    deck.setGain(1, { left: 1, right: 1 });
    hear(512);
    deck.seek(30_000);
    hear(1024);
    deck.pause();
    hear(512);
    deck.play();
    hear(512);
    deck.setMaster(0.1);
    hear(512);
    const steps = out.slice(1).map((sample, i) => Math.abs(sample - (out[i] as number)));
    expect(Math.max(...steps)).toBeLessThan(2.5 / RAMP);
  });

  test("is measured as it is heard", () => {
    const deck = mixer([[new Float32Array(2000).fill(0.5)], [new Float32Array(2000).fill(0.25)]]);
    deck.setGain(1, { left: 0, right: 0 }, true);
    deck.play();
    heard(deck, 512);
    expect([...deck.takePeaks()]).toEqual([0.5, 0]);
    expect([...deck.takePeaks()]).toEqual([0, 0]);
  });
});

describe("a segment that is not here", () => {
  test("is silence: the position stays, and no sample is skipped", () => {
    const stem = noise(11, 4000);
    const deck = mixer([[stem]]);
    deck.drop(1);
    deck.play();
    const before = heard(deck, 2000).left;
    expect(deck.starved).toBe(true);
    expect(deck.position).toBe(SEGMENT);
    expect(before.slice(SEGMENT)).toEqual(new Float32Array(2000 - SEGMENT));
    deck.put(1, [[stem.slice(SEGMENT, 2 * SEGMENT)]]);
    const after = heard(deck, 1000).left;
    expect(deck.starved).toBe(false);
    expect(after.slice(RAMP)).toEqual(stem.slice(SEGMENT + RAMP, SEGMENT + 1000));
  });

  test("does not hold up a pause, nor a seek to what is here", () => {
    const deck = mixer([[noise(12, 4000)]]);
    deck.drop(1);
    deck.play();
    heard(deck, 2000);
    deck.seek(2500);
    expect(deck.position).toBe(2500);
    heard(deck, 300);
    deck.seek(1500);
    heard(deck, 600);
    expect(deck.starved).toBe(true);
    deck.pause();
    expect(deck.playing).toBe(false);
  });
});

test("a seek goes through although the old place is gone before its fade, and so does the next", () => {
  const stem = noise(14, 9000);
  const deck = mixer([[stem]]);
  deck.play();
  heard(deck, 512);
  deck.seek(5000);
  deck.drop(0);
  const { left } = heard(deck, 768);
  expect(left.slice(RAMP)).toEqual(stem.slice(5000 + RAMP, 5768));
  deck.drop(5);
  deck.seek(5500);
  heard(deck, 256);
  deck.seek(7000);
  heard(deck, 512);
  expect(deck.heading).toBe(7512);
});

test("a pause during a seek's fade stops at the new place", () => {
  const deck = mixer([[noise(13, 9000)]]);
  deck.play();
  heard(deck, 1024);
  deck.seek(5000);
  deck.pause();
  expect(deck.heading).toBe(5000);
  heard(deck, 1024);
  expect(deck.playing).toBe(false);
  expect(deck.position).toBe(5000);
});

describe("gains", () => {
  test("in the middle nothing changes; a side turns down the other", () => {
    expect(gainOf(PLAIN, false)).toEqual({ left: 1, right: 1 });
    expect(gainOf({ ...PLAIN, pan: -1 }, false)).toEqual({ left: 1, right: 0 });
    expect(gainOf({ ...PLAIN, pan: 0.5, db: -6 }, false)).toEqual({ left: factor(-6) * 0.5, right: factor(-6) });
  });

  test("solo silences the others, and mutes survive it", () => {
    const silent = { left: 0, right: 0 };
    expect(gainOf(PLAIN, true)).toEqual(silent);
    expect(gainOf({ ...PLAIN, solo: true }, true)).toEqual({ left: 1, right: 1 });
    expect(gainOf({ ...PLAIN, solo: true, mute: true }, true)).toEqual(silent);
  });
});
