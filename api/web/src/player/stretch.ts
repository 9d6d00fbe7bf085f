/**
 * Tempo without pitch, and pitch without tempo.
 *
 * Tempo is WSOLA (Verhelst and Roelands, "An overlap-add technique based on waveform similarity", ICASSP 1993): windows
 * of the input are laid over each other closer or wider than they were, each moved by up to `SEARCH` to where it fits
 * the sound before it best. Pitch is the same, and a resampler after it that plays the result faster or slower.
 */

import type { Bus } from "./mixer";

const WINDOW_SECONDS = 0.064;
const SEARCH_SECONDS = 0.012;
const COARSE = 4; // the search looks at each fourth place and sample first
const TAPS = 16; // of the resampler's filter, on each side
const PHASES = 256;

/** Writes the next samples of the input into both channels. */
export type Pull = (into: Bus) => void;

export class Stretch {
  private speed = 1;
  private ratio = 1;
  private readonly hop: number;
  private readonly search: number;
  private readonly window: Float32Array;
  private readonly block: Bus;
  /** input that may be needed; `start` is the place of its first sample in all of the input */
  private readonly input: Bus;
  private start = 0;
  private filled = 0;
  /** where the next window should begin, and where the last one did */
  private next = 0;
  private last = -1;
  /** the falling half of the last window */
  private readonly tail: Bus;
  /** stretched samples that wait for the resampler, and its place among them */
  private readonly output: Bus;
  private ready = 0;
  private at = TAPS;
  private filter: Float32Array = new Float32Array(0);

  constructor(
    rate: number,
    private readonly pull: Pull,
  ) {
    this.hop = Math.round((rate * WINDOW_SECONDS) / 2);
    this.search = Math.round(rate * SEARCH_SECONDS);
    this.window = Float32Array.from({ length: 2 * this.hop }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * i) / this.hop));
    this.block = bus(512);
    this.input = bus(8 * this.hop + 4 * this.search + 512);
    this.tail = bus(this.hop);
    this.output = bus(4 * this.hop + 4 * TAPS + 8192);
    this.reset();
  }

  /** `speed` 0.5 to 1.5 of the tempo, `semitones` of the pitch. */
  set(speed: number, semitones: number): void {
    this.speed = speed;
    const ratio = 2 ** (semitones / 12);
    if (ratio !== this.ratio || this.filter.length === 0) {
      this.ratio = ratio;
      this.filter = lowpass(Math.min(1, 1 / ratio));
    }
  }

  /** Forget what was heard. */
  reset(): void {
    this.start = 0;
    this.filled = 0;
    this.next = 0;
    this.last = -1;
    this.ready = 2 * TAPS;
    this.at = TAPS;
    this.output.left.fill(0);
    this.output.right.fill(0);
  }

  /** Samples of the input that were pulled and are not heard yet. */
  get lag(): number {
    const waiting = (this.ready - this.at) * (this.speed / this.ratio);
    return Math.max(0, this.start + this.filled - this.next + waiting);
  }

  /** Fill `to` with the next samples, from `from` on. */
  render({ left, right }: Bus): void {
    for (let i = 0; i < left.length; i += 1) {
      while (this.at + TAPS + 1 >= this.ready) this.step();
      const whole = Math.floor(this.at);
      const phase = Math.round((this.at - whole) * PHASES) * 2 * TAPS;
      let l = 0;
      let r = 0;
      for (let tap = 0; tap < 2 * TAPS; tap += 1) {
        const weight = this.filter[phase + tap] as number;
        l += weight * (this.output.left[whole - TAPS + 1 + tap] as number);
        r += weight * (this.output.right[whole - TAPS + 1 + tap] as number);
      }
      left[i] = l;
      right[i] = r;
      this.at += this.ratio;
    }
  }

  /** Lay one more window over the last one: `hop` samples of output are ready then. */
  private step(): void {
    this.makeRoom();
    const nominal = Math.round(this.next);
    this.fetch(nominal + this.search + 2 * this.hop);
    const found = this.last < 0 ? nominal : this.best(nominal);
    const from = found - this.start;
    for (const side of ["left", "right"] as const) {
      const input = this.input[side];
      const tail = this.tail[side];
      const output = this.output[side];
      for (let i = 0; i < this.hop; i += 1) {
        const rising = this.window[i] as number;
        const sample = input[from + i] as number;
        const before = this.last < 0 ? (1 - rising) * sample : (tail[i] as number);
        output[this.ready + i] = before + rising * sample;
        tail[i] = (1 - rising) * (input[from + this.hop + i] as number);
      }
    }
    this.ready += this.hop;
    this.last = found;
    this.next += this.hop * (this.speed / this.ratio);
  }

  /** Where within reach of `nominal` the input is most like what followed the last window. */
  private best(nominal: number): number {
    const wanted = this.last + this.hop - this.start;
    const least = Math.max(this.start, nominal - this.search);
    const most = nominal + this.search;
    let found = nominal;
    let likeness = this.likeness(wanted, nominal - this.start, COARSE) + 1e-9;
    const look = (place: number, step: number) => {
      const like = this.likeness(wanted, place - this.start, step);
      if (like > likeness) {
        likeness = like;
        found = place;
      }
    };
    for (let place = least; place <= most; place += COARSE) look(place, COARSE);
    const near = found;
    likeness = this.likeness(wanted, near - this.start, 2);
    for (let place = Math.max(least, near - COARSE + 1); place < near + COARSE; place += 1) look(place, 2);
    return found;
  }

  /** The correlation of two stretches of the input, `hop` long, by their energy. */
  private likeness(one: number, other: number, step: number): number {
    const { left, right } = this.input;
    let product = 0;
    let energy = 1e-9;
    for (let i = 0; i < this.hop; i += step) {
      const a = (left[one + i] as number) + (right[one + i] as number);
      const b = (left[other + i] as number) + (right[other + i] as number);
      product += a * b;
      energy += b * b;
    }
    return product / Math.sqrt(energy);
  }

  /** Have the input up to a place. */
  private fetch(end: number): void {
    while (this.start + this.filled < end) {
      this.pull(this.block);
      this.input.left.set(this.block.left, this.filled);
      this.input.right.set(this.block.right, this.filled);
      this.filled += this.block.left.length;
    }
  }

  /** Drop input and output that are not needed any more. */
  private makeRoom(): void {
    const keep = Math.min(Math.round(this.next) - this.search, this.last < 0 ? 0 : this.last + this.hop);
    const old = Math.min(this.filled, Math.max(0, keep - this.start));
    if (old > 0) {
      for (const side of [this.input.left, this.input.right]) side.copyWithin(0, old, this.filled);
      this.start += old;
      this.filled -= old;
    }
    const heard = Math.floor(this.at) - TAPS;
    if (heard > this.hop) {
      for (const side of [this.output.left, this.output.right]) side.copyWithin(0, heard, this.ready);
      this.ready -= heard;
      this.at -= heard;
    }
  }
}

function bus(length: number): Bus {
  return { left: new Float32Array(length), right: new Float32Array(length) };
}

/** A windowed sinc for each phase between two samples; `cutoff` is a share of half the sample rate. */
function lowpass(cutoff: number): Float32Array {
  const filter = new Float32Array((PHASES + 1) * 2 * TAPS);
  for (let phase = 0; phase <= PHASES; phase += 1) {
    let sum = 0;
    const at = phase * 2 * TAPS;
    for (let tap = 0; tap < 2 * TAPS; tap += 1) {
      const x = tap - TAPS + 1 - phase / PHASES;
      const sinc = x === 0 ? cutoff : Math.sin(Math.PI * x * cutoff) / (Math.PI * x);
      const shape = Math.abs(x) >= TAPS ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * x) / TAPS);
      filter[at + tap] = sinc * shape;
      sum += sinc * shape;
    }
    for (let tap = 0; tap < 2 * TAPS; tap += 1) filter[at + tap] = (filter[at + tap] as number) / sum;
  }
  return filter;
}
