/** Stems from the pack that the worker made: one request brings all stems of a segment. See workers/audio/preview.py. */

import type { Job } from "../api";
import { SongCache } from "./cache";
import type { Urls } from "./fetching";
import { isSmall } from "./lookahead";
import { free, Spare } from "./memory";
import type { Segment } from "./mixer";
import { decode, type Source } from "./source";

interface Index {
  version: number;
  sample_rate: number;
  frames: number;
  segment_frames: number;
  roll_frames: number;
  stems: string[];
  segments: number[][];
}

function isIndex(found: unknown): found is Index {
  return typeof found === "object" && found !== null && (found as Index).version === 1;
}

/** Where each segment begins in the pack; the last entry is its end. */
export function starts(segments: readonly (readonly number[])[]): number[] {
  const found = [0];
  for (const sizes of segments) found.push((found.at(-1) ?? 0) + sizes.reduce((sum, size) => sum + size, 0));
  return found;
}

/**
 * The samples of a segment in what a decoder made of its file: without the roll. A decoder that leaves its own delay in
 * gives more samples than the file has; it does so to each stem, and all are cut alike.
 */
export function unrolled(
  channels: readonly Float32Array[],
  roll: number,
  frames: number,
  room: (frames: number) => Float32Array = (count) => new Float32Array(count),
): Float32Array[] {
  return channels.map((channel) => {
    const piece = channel.subarray(roll, roll + frames);
    const whole = room(frames);
    whole.set(piece);
    whole.fill(0, piece.length);
    return whole;
  });
}

export async function openPack(job: Job, urls: Urls): Promise<Source> {
  const cache = await SongCache.open(job.preview?.pack?.sha256 || job.id);
  const text = await cache.get("index", () => urls.get((one) => one.preview?.index?.url));
  const index: unknown = JSON.parse(new TextDecoder().decode(text));
  if (!isIndex(index)) throw new Error("the preview's index is of another version");
  return new Pack(index, urls, cache);
}

class Pack implements Source {
  readonly rate: number;
  readonly frames: number;
  readonly segmentFrames: number;
  readonly stems: string[];
  private readonly starts: number[];
  private readonly spare = new Spare();

  constructor(
    private readonly index: Index,
    private readonly urls: Urls,
    private readonly cache: SongCache,
  ) {
    this.rate = index.sample_rate;
    this.frames = index.frames;
    this.segmentFrames = index.segment_frames;
    this.stems = index.stems;
    this.starts = starts(index.segments);
  }

  reuse(buffers: ArrayBuffer[]): void {
    this.spare.give(buffers);
  }

  async load(number: number, signal: AbortSignal): Promise<Segment> {
    const sizes = this.index.segments[number];
    const from = this.starts[number] ?? 0;
    const to = this.starts[number + 1] ?? 0;
    if (!sizes) throw new RangeError(`there is no segment ${number}`);
    const pick = (job: Job) => job.preview?.pack?.url;
    const bytes = await this.cache.get(`${number}`, () => this.urls.get(pick, { from, to }, signal));
    const frames = Math.min(this.segmentFrames, this.frames - number * this.segmentFrames);
    let at = 0;
    const files = sizes.map((size) => {
      at += size;
      return bytes.slice(at - size, at);
    });
    free([bytes]);
    const samples = async (file: ArrayBuffer) => {
      const decoded = await decode(file, this.rate);
      const found = unrolled(decoded, this.index.roll_frames, frames, (count) => this.spare.take(count));
      free(decoded.map((channel) => channel.buffer as ArrayBuffer));
      return found;
    };
    if (!isSmall()) return Promise.all(files.map(samples));
    const found: Float32Array[][] = []; // while it decodes, a stem is in memory twice: here one at a time
    for (const file of files) found.push(await samples(file));
    return found;
  }
}
