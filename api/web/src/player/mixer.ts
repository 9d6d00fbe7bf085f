/**
 * The mixing core: stems in, two channels out, sample by sample. It knows neither AudioWorklet nor page, so that tests
 * can hold it to single samples.
 *
 * Positions are samples of the track. Stems come in segments of equal length; a segment brings all stems at once, so no
 * stem can be early or late. Where a segment is missing the output is silent and the position stays: nothing is skipped.
 */

/** One stem of a segment: its channels, one (mono) or two. */
export type StemSamples = readonly Float32Array[];
export type Segment = readonly StemSamples[];

/** Each buffer of a segment once: a mono stem's channel may stand twice. */
export function buffersOf(segment: Segment): Set<ArrayBuffer> {
  return new Set(segment.flat().map((channel) => channel.buffer as ArrayBuffer));
}

export interface Loop {
  /** first sample */
  start: number;
  /** the sample after the last */
  end: number;
}

/** What the ears get of a stem: factors of its left and its right channel. */
export interface Gain {
  left: number;
  right: number;
}

/** Two channels to add to. */
export interface Bus {
  left: Float32Array;
  right: Float32Array;
}

export interface Track {
  stems: number;
  frames: number;
  segmentFrames: number;
  rate: number;
}

export const RAMP_SECONDS = 0.005;

/** A factor that goes to its target in a straight line, so that a change makes no click. */
class Ramp {
  private step = 0;
  private left = 0;

  constructor(
    public value: number,
    private target = value,
  ) {}

  /** At once. */
  set(value: number): void {
    this.value = value;
    this.target = value;
    this.left = 0;
  }

  to(target: number, samples: number): void {
    if (target === this.target) return;
    this.target = target;
    this.left = samples;
    this.step = (target - this.value) / samples;
  }

  /** The factor of the next sample. */
  next(): number {
    if (this.left > 0) {
      this.left -= 1;
      this.value = this.left === 0 ? this.target : this.value + this.step;
    }
    return this.value;
  }

  /** Whether it neither sounds nor moves. */
  get silent(): boolean {
    return this.left === 0 && this.value === 0;
  }

  get still(): boolean {
    return this.left === 0;
  }
}

export class Mixer {
  position = 0;
  loop: Loop | null = null;
  playing = false;
  /** whether the next sample is not here yet */
  starved = false;
  ended = false;
  /** how often the loop has begun anew since the last `seek` */
  turns = 0;
  /** the bus of each stem, of those that `render` gets */
  readonly buses: Uint8Array;
  /** the highest sample of each stem, as it was heard, since `takePeaks` */
  private peaks: Float32Array;
  private readonly segments = new Map<number, Segment>();
  private readonly lefts: Ramp[];
  private readonly rights: Ramp[];
  private readonly master = new Ramp(1);
  /** fades the sound in and out around pauses, jumps and gaps */
  private readonly fader = new Ramp(0);
  private readonly ramp: number;
  private jump: number | null = null;
  private pausing = false;

  constructor(readonly track: Track) {
    this.ramp = Math.max(1, Math.round(track.rate * RAMP_SECONDS));
    this.lefts = Array.from({ length: track.stems }, () => new Ramp(1));
    this.rights = Array.from({ length: track.stems }, () => new Ramp(1));
    this.peaks = new Float32Array(track.stems);
    this.buses = new Uint8Array(track.stems);
  }

  /** `now`: without a ramp, for a mix that is set before anything sounds. */
  setGain(stem: number, gain: Gain, now = false): void {
    if (now) {
      this.lefts[stem]?.set(gain.left);
      this.rights[stem]?.set(gain.right);
    } else {
      this.lefts[stem]?.to(gain.left, this.ramp);
      this.rights[stem]?.to(gain.right, this.ramp);
    }
  }

  setMaster(gain: number, now = false): void {
    if (now) this.master.set(gain);
    else this.master.to(gain, this.ramp);
  }

  put(number: number, segment: Segment): void {
    this.segments.set(number, segment);
  }

  /** Forget a segment. Returns it: who has it may free its memory. */
  drop(number: number): Segment | undefined {
    const dropped = this.segments.get(number);
    this.segments.delete(number);
    return dropped;
  }

  /** The numbers of the segments that are here. */
  get held(): number[] {
    return [...this.segments.keys()];
  }

  play(): void {
    if (this.ended) this.position = this.loop?.start ?? 0;
    this.ended = false;
    this.playing = true;
    this.pausing = false;
    if (this.jump === null) this.fader.to(1, this.ramp);
  }

  /** Fades out; then `playing` is false. */
  pause(): void {
    if (!this.playing) return;
    if (this.starved) this.stop();
    else {
      this.pausing = true;
      this.fader.to(0, this.ramp);
    }
  }

  /** Where it is, or where it goes as soon as the sound has faded. */
  get heading(): number {
    return this.jump ?? this.position;
  }

  private stop(): void {
    this.playing = false;
    this.pausing = false;
    this.starved = false;
    this.fader.set(0);
  }

  /** Go to a sample: at once where nothing sounds, else after a fade. */
  seek(position: number): void {
    this.ended = false;
    this.turns = 0;
    const to = Math.min(Math.max(0, Math.round(position)), this.track.frames);
    if (!this.playing || this.starved || this.fader.silent) {
      this.position = to;
      this.jump = null;
      this.starved = false;
    } else {
      this.jump = to;
      this.fader.to(0, this.ramp);
    }
  }

  /** Fill the buses, of one length, each with its stems. What can't be filled is silent. */
  render(buses: readonly Bus[]): void {
    const to = buses[0]?.left.length ?? 0;
    for (const { left, right } of buses) {
      left.fill(0);
      right.fill(0);
    }
    let at = 0;
    while (at < to && this.playing) {
      const done = this.run(buses, at, to);
      if (done === 0 && !this.turn()) return;
      at += done;
    }
  }

  /** The peaks of the stems since the last call. */
  takePeaks(): Float32Array {
    const taken = this.peaks;
    this.peaks = new Float32Array(this.track.stems);
    return taken;
  }

  /** Mix as many samples as lie together: up to the end of the segment, of the loop, of a fade to silence. */
  private run(buses: readonly Bus[], from: number, to: number): number {
    if (this.fader.silent || this.position >= this.bound()) return 0;
    const number = Math.floor(this.position / this.track.segmentFrames);
    const segment = this.segments.get(number);
    if (!segment) {
      this.starved = true;
      return 0;
    }
    this.starved = false;
    const offset = this.position - number * this.track.segmentFrames;
    const length = segment[0]?.[0]?.length ?? 0;
    const count = Math.min(to - from, this.bound() - this.position, Math.max(0, length - offset));
    if (count === 0) {
      this.starved = true; // a segment that is shorter than it should be: there is no sound to go on with
      return 0;
    }
    for (let stem = 0; stem < segment.length; stem += 1) {
      const bus = buses[this.buses[stem] ?? 0] ?? buses[0];
      if (bus) this.add(stem, segment[stem] ?? [], offset, bus, from, count);
    }
    const faded = this.fade(buses, from, count);
    const end = this.bound();
    this.position += faded;
    if (this.loop && this.position === end && end === Math.min(this.loop.end, this.track.frames)) {
      this.position = this.loop.start;
      this.turns += 1;
    }
    return faded;
  }

  private bound(): number {
    const { frames } = this.track;
    return this.loop && this.position < this.loop.end ? Math.min(this.loop.end, frames) : frames;
  }

  /** After a run that mixed nothing: what happens next. False where the rest of the block is silent. */
  private turn(): boolean {
    if (this.fader.silent || (this.starved && this.jump !== null)) {
      if (this.jump !== null) this.position = this.jump;
      this.jump = null;
      this.starved = false;
      this.fader.set(0);
      if (this.pausing) {
        this.stop();
        return false;
      }
      this.fader.to(1, this.ramp);
      return true;
    }
    if (this.starved) {
      this.fader.set(0); // it starts again softly
      this.fader.to(1, this.ramp);
      return false;
    }
    this.stop();
    this.ended = true;
    return false;
  }

  private add(
    stem: number,
    samples: StemSamples,
    offset: number,
    { left, right }: Bus,
    from: number,
    count: number,
  ): void {
    const first = samples[0];
    const second = samples[1] ?? first;
    const onLeft = this.lefts[stem];
    const onRight = this.rights[stem];
    if (!first || !second || !onLeft || !onRight || (onLeft.silent && onRight.silent)) return;
    let peak = this.peaks[stem] ?? 0;
    if (onLeft.still && onRight.still) {
      const toLeft = onLeft.value;
      const toRight = onRight.value;
      for (let i = 0; i < count; i += 1) {
        const l = (first[offset + i] as number) * toLeft;
        const r = (second[offset + i] as number) * toRight;
        left[from + i] = (left[from + i] as number) + l;
        right[from + i] = (right[from + i] as number) + r;
        const high = Math.max(l, -l, r, -r);
        if (high > peak) peak = high;
      }
    } else {
      for (let i = 0; i < count; i += 1) {
        const l = (first[offset + i] as number) * onLeft.next();
        const r = (second[offset + i] as number) * onRight.next();
        left[from + i] = (left[from + i] as number) + l;
        right[from + i] = (right[from + i] as number) + r;
        const high = Math.max(l, -l, r, -r);
        if (high > peak) peak = high;
      }
    }
    this.peaks[stem] = peak;
  }

  /** Put the master's gain and the fader on the sum. Returns the samples up to the end of a fade to silence. */
  private fade(buses: readonly Bus[], from: number, count: number): number {
    if (this.master.still && this.fader.still && this.master.value === 1 && this.fader.value === 1) return count;
    for (let i = from; i < from + count; i += 1) {
      const gain = this.master.next() * this.fader.next();
      for (const { left, right } of buses) {
        left[i] = (left[i] as number) * gain;
        right[i] = (right[i] as number) * gain;
      }
      if (this.fader.silent) {
        for (const { left, right } of buses) {
          left.fill(0, i + 1, from + count);
          right.fill(0, i + 1, from + count);
        }
        return i + 1 - from;
      }
    }
    return count;
  }
}
