/** Where stems come from, segment by segment. */

import type { Segment } from "./mixer";

export interface Source {
  rate: number;
  frames: number;
  segmentFrames: number;
  stems: string[];
  /** The samples of a segment: all stems, none without the others. Throws what fetching and decoding throw. */
  load(number: number, signal: AbortSignal): Promise<Segment>;
  /** Takes back the memory of samples that have sounded. */
  reuse(buffers: ArrayBuffer[]): void;
}

const decoders = new Map<number, OfflineAudioContext>();

/** Samples of a file, decoded at `rate`. No gesture is needed for it, and no context runs. */
export async function decode(file: ArrayBuffer, rate: number): Promise<Float32Array[]> {
  const context = decoders.get(rate) ?? new OfflineAudioContext(2, 1, rate);
  decoders.set(rate, context);
  const buffer = await context.decodeAudioData(file);
  return Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel));
}
