/** Stems from the job's own files, for a job without a pack: WAV by ranges, else whole files where memory has room. */

import type { Job } from "../api";
import type { Urls } from "./fetching";
import { type Lane, lanes } from "./lanes";
import { free } from "./memory";
import type { Segment } from "./mixer";
import { decode, type Source } from "./source";
import { type WavHead, wavHead, wavSamples } from "./wav";

const SEGMENT_SECONDS = 4;
const HEAD_BYTES = 4096;
export const MOST_SAMPLE_BYTES = 250e6;

/** Opens the job's files; null where they would take too much memory: then one stem at a time can be heard. */
export async function openFiles(job: Job, urls: Urls): Promise<Source | null> {
  const all = lanes(job);
  const first = all[0]?.file;
  if (!first?.sample_rate || !first.frames) return null;
  const heads = all.every((lane) => lane.file.content_type === "audio/wav") ? await wavHeads(all, urls) : null;
  if (heads) return new Wavs(all, heads, urls);
  const samples = all.reduce((sum, { file }) => sum + (file.frames ?? 0) * (file.channels ?? 2) * 4, 0);
  return samples <= MOST_SAMPLE_BYTES ? new Whole(all, urls) : null;
}

async function wavHeads(all: Lane[], urls: Urls): Promise<WavHead[] | null> {
  const heads = await Promise.all(
    all.map(async ({ key, file }) => {
      const range = { from: 0, to: Math.min(HEAD_BYTES, file.bytes) };
      return wavHead(await urls.get((job) => job.files?.[key]?.url, range), file.bytes);
    }),
  );
  const known = heads.filter((head): head is WavHead => head !== null);
  return known.length === all.length ? known : null;
}

abstract class OfFiles implements Source {
  readonly rate: number;
  readonly frames: number;
  readonly segmentFrames: number;
  readonly stems: string[];

  constructor(protected readonly all: Lane[]) {
    const first = all[0]?.file;
    this.rate = first?.sample_rate ?? 44100;
    this.frames = Math.min(...all.map(({ file }) => file.frames ?? 0));
    this.segmentFrames = SEGMENT_SECONDS * this.rate;
    this.stems = all.map(({ stem }) => stem);
  }

  reuse(buffers: ArrayBuffer[]): void {
    free(buffers);
  }

  abstract load(number: number, signal: AbortSignal): Promise<Segment>;

  protected span(number: number): { first: number; frames: number } {
    const first = number * this.segmentFrames;
    return { first, frames: Math.min(this.segmentFrames, this.frames - first) };
  }
}

class Wavs extends OfFiles {
  constructor(
    all: Lane[],
    private readonly heads: WavHead[],
    private readonly urls: Urls,
  ) {
    super(all);
  }

  load(number: number, signal: AbortSignal): Promise<Segment> {
    const { first, frames } = this.span(number);
    return Promise.all(
      this.all.map(async ({ key }, place) => {
        const head = this.heads[place] as WavHead;
        const width = (head.bits / 8) * head.channels;
        const from = head.start + first * width;
        const bytes = await this.urls.get((job) => job.files?.[key]?.url, { from, to: from + frames * width }, signal);
        return wavSamples(bytes, head);
      }),
    );
  }
}

class Whole extends OfFiles {
  private decoded: Promise<Float32Array[][]> | null = null;

  constructor(
    all: Lane[],
    private readonly urls: Urls,
  ) {
    super(all);
  }

  async load(number: number): Promise<Segment> {
    this.decoded ??= this.decodeAll();
    const { first, frames } = this.span(number);
    return (await this.decoded).map((channels) => channels.map((channel) => channel.slice(first, first + frames)));
  }

  /** One file after the other: of compressed bytes only one stem's are in memory. */
  private async decodeAll(): Promise<Float32Array[][]> {
    const found: Float32Array[][] = [];
    for (const { key } of this.all) {
      found.push(await decode(await this.urls.get((job) => job.files?.[key]?.url), this.rate));
    }
    return found;
  }
}
