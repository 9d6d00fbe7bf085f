/** What the page and the worklet say to each other. */

import type { Gain, Loop, Segment, Track } from "./mixer";

export type ToWorklet =
  | { type: "track"; track: Track }
  | { type: "gains"; gains: Gain[]; master: number; now: boolean }
  | { type: "put"; number: number; segment: Segment }
  | { type: "drop"; numbers: number[] }
  | { type: "play" }
  | { type: "pause" }
  | { type: "seek"; position: number; id: number }
  | { type: "loop"; loop: Loop | null }
  /** `speed` is of the tempo, 1 the track's own; `pitch` in semitones; `drums` are stems whose pitch stays */
  | { type: "stretch"; speed: number; pitch: number; drums: number[] };

export type FromWorklet = Report | { dropped: ArrayBuffer[] };

export interface Report {
  /** of the last seek: a report from before it says nothing any more */
  seek: number;
  /** the sample that sounds at `time`, of the context's clock */
  position: number;
  time: number;
  playing: boolean;
  starved: boolean;
  ended: boolean;
  /** the highest sample of each stem since the last report */
  peaks: Float32Array;
}
