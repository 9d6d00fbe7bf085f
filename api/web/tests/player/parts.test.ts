import { describe, expect, test } from "vitest";
import { wanted } from "../../src/player/lookahead";
import { firstMix, readMix } from "../../src/player/mix";
import { starts, unrolled } from "../../src/player/pack";
import { readHead } from "../../src/player/peaks";
import { Viewport } from "../../src/player/view";
import { wavHead, wavSamples } from "../../src/player/wav";

const SEGMENT = 100;
const span = { position: 0, ahead: 300, frames: 1050, segmentFrames: SEGMENT, loop: null };

describe("the look-ahead", () => {
  test("has the segments that sound next, and no more", () => {
    expect(wanted({ ...span, position: 250 })).toEqual([2, 3, 4, 5]);
    expect(wanted({ ...span, position: 1000 })).toEqual([10]);
    expect(wanted({ ...span, position: 1050 })).toEqual([10]);
  });

  test("goes round a loop, and keeps its start", () => {
    const loop = { start: 120, end: 420 };
    expect(wanted({ ...span, position: 350, loop })).toEqual([3, 4, 1, 2]);
    expect(wanted({ ...span, position: 150, ahead: 100, loop: { start: 120, end: 900 } })).toEqual([1, 2]);
    expect(wanted({ ...span, position: 600, ahead: 50, loop })).toEqual([6, 1]);
  });

  test("of a short loop is the loop alone", () => {
    expect(wanted({ ...span, position: 120, ahead: 2400, loop: { start: 110, end: 130 } })).toEqual([1]);
  });
});

describe("the pack", () => {
  test("segments follow each other", () => {
    expect(starts([[10, 20], [30, 5], []])).toEqual([0, 30, 65, 65]);
  });

  test("the roll goes, whatever delay a decoder adds at the end, and the length holds", () => {
    const samples = Float32Array.from({ length: 20 }, (_, i) => i);
    expect([...(unrolled([samples], 4, 10)[0] ?? [])]).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(unrolled([samples.slice(0, 12)], 4, 10)[0]).toHaveLength(10);
  });
});

test("peaks are read as the worker writes them", () => {
  const names = ["vocals", "größe"].map((name) => new TextEncoder().encode(name));
  const bytes = new Uint8Array(200);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("STPK"));
  view.setUint16(4, 1, true);
  view.setUint16(6, 2, true);
  view.setUint32(8, 48000, true);
  view.setBigUint64(12, 70001n, true);
  view.setUint16(20, 1, true);
  let at = 24;
  for (const name of names) {
    bytes[at] = name.length;
    bytes.set(name, at + 1);
    at += 1 + name.length;
  }
  at += -at & 3;
  view.setUint32(at, 256, true);
  view.setUint32(at + 4, 274, true);
  view.setBigUint64(at + 8, 64n, true);
  expect(readHead(bytes.buffer)).toEqual({
    rate: 48000,
    frames: 70001,
    stems: ["vocals", "größe"],
    zooms: [{ samplesPerPixel: 256, pixels: 274, offset: 64 }],
  });
  expect(() => readHead(new ArrayBuffer(64))).toThrow("no peaks");
});

describe("WAV by ranges", () => {
  function wav(bits: number, code: number, extra: number): ArrayBuffer {
    const bytes = new Uint8Array(44 + extra + 12);
    const view = new DataView(bytes.buffer);
    const put = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
    put(0, "RIFF");
    put(8, "WAVE");
    put(12, "fmt ");
    view.setUint32(16, 16 + extra, true);
    view.setUint16(20, code, true);
    view.setUint16(22, 2, true);
    view.setUint32(24, 48000, true);
    view.setUint16(34, bits, true);
    put(36 + extra, "data");
    view.setUint32(40 + extra, 12, true);
    return bytes.buffer;
  }

  test.each([
    [16, 1, false],
    [24, 1, false],
    [32, 3, true],
  ])("%s bits", (bits, code, float) => {
    expect(wavHead(wav(bits, code, 0), 56)).toEqual({ rate: 48000, channels: 2, bits, float, start: 44, bytes: 12 });
  });

  test("what is no plain WAV is left to the decoder", () => {
    expect(wavHead(wav(8, 1, 0), 56)).toBeNull();
    expect(wavHead(new ArrayBuffer(100), 100)).toBeNull();
  });

  test("samples of 16 and 24 bits are shares of full scale", () => {
    const head = { rate: 48000, channels: 2, bits: 16, float: false, start: 0, bytes: 0 };
    expect(wavSamples(new Int16Array([16384, -32768, 0, 8192]).buffer, head).map((one) => [...one])).toEqual([
      [0.5, 0],
      [-1, 0.25],
    ]);
    const bytes = new Uint8Array([0, 0, 0x40, 0, 0, 0x80]);
    expect(wavSamples(bytes.buffer, { ...head, bits: 24 }).map((one) => [...one])).toEqual([[0.5], [-1]]);
  });
});

describe("the mix that is remembered", () => {
  test("sums are silent beside their parts, and alone they are not", () => {
    expect(firstMix(["vocals", "drums", "no_vocals"]).strips.no_vocals?.mute).toBe(true);
    expect(firstMix(["vocals", "no_vocals"]).strips.no_vocals?.mute).toBe(false);
  });

  test("comes back as far as it fits", () => {
    const stored = {
      strips: { vocals: { db: -3, pan: 0.5, mute: true, solo: false }, drums: { db: 99, pan: "x" } },
      masterDb: -6,
      tempo: 9,
      loop: { start: 10, end: 2000 },
      looping: true,
    };
    const mix = readMix(stored, ["vocals", "drums"], 1000);
    expect(mix.strips.vocals).toEqual({ db: -3, pan: 0.5, mute: true, solo: false });
    expect(mix.strips.drums).toEqual({ db: 0, pan: 0, mute: false, solo: false });
    expect(mix).toMatchObject({ masterDb: -6, tempo: 1, pitch: 0, loop: null, looping: false });
  });
});

test("zooming keeps a moment where it is drawn, and ends at the song's ends", () => {
  const view = new Viewport(100);
  view.zoom(2, 25);
  expect(view.get()).toEqual({ from: 12.5, to: 62.5 });
  view.zoom(1000, 25);
  expect(view.get().to - view.get().from).toBeCloseTo(1);
  view.zoom(1 / 1e6, 25);
  expect(view.get()).toEqual({ from: 0, to: 100 });
  expect(view.zoomed).toBe(false);
});
