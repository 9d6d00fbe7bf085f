/** Mixer and stretch in one: what the worklet runs, without the worklet. */

import type { Report, ToWorklet } from "./messages";
import { type Bus, buffersOf, Mixer, RAMP_SECONDS, type Track } from "./mixer";
import { Stretch } from "./stretch";

const TONAL = 0;
const DRUMS = 1;

interface Wish {
  speed: number;
  pitch: number;
  drums: number[];
}

export class Deck {
  readonly mixer: Mixer;
  private readonly stretches: Stretch[];
  /** samples of each bus that a stretch has pulled and the other has not yet */
  private readonly queues: Bus[][] = [[], []];
  private wish: Wish = { speed: 1, pitch: 0, drums: [] };
  private now: Wish = this.wish;
  /** falls to 0 before the stretch changes, and rises after */
  private gain = 1;
  private readonly step: number;
  private seek = 0;
  private dropped: ArrayBuffer[] = [];
  /** samples for which the stretch goes on sounding after the mixer has stopped */
  private rest = 0;
  private scratch: Bus[] = [];

  constructor(readonly track: Track) {
    this.mixer = new Mixer(track);
    this.step = 1 / (track.rate * RAMP_SECONDS);
    this.stretches = [TONAL, DRUMS].map((bus) => new Stretch(track.rate, (into) => this.pull(bus, into)));
  }

  /** Do what the page asks for. */
  take(message: Exclude<ToWorklet, { type: "track" }>): void {
    switch (message.type) {
      case "gains":
        message.gains.forEach((gain, stem) => {
          this.mixer.setGain(stem, gain, message.now);
        });
        this.mixer.setMaster(message.master, message.now);
        break;
      case "put":
        this.mixer.put(message.number, message.segment);
        break;
      case "drop":
        for (const number of message.numbers) this.dropped.push(...buffersOf(this.mixer.drop(number) ?? []));
        break;
      case "play":
        this.mixer.play();
        break;
      case "pause":
        this.mixer.pause();
        break;
      case "seek":
        this.mixer.seek(message.position);
        this.seek = message.id;
        break;
      case "loop":
        this.mixer.loop = message.loop;
        break;
      case "stretch":
        this.wish = message;
    }
  }

  /** The memory of the segments that were dropped since the last call. */
  takeDropped(): ArrayBuffer[] {
    return this.dropped.splice(0);
  }

  /** Fill both channels. */
  render(out: Bus): void {
    if (this.wish !== this.now && !this.mixer.playing) this.change();
    if (this.plain) this.mixer.render([out]);
    else this.stretched(out);
    this.soften(out);
  }

  /** Where what sounds now is in the track. */
  get position(): number {
    const { mixer, stretches } = this;
    if (this.plain || !mixer.playing || mixer.heading !== mixer.position) return mixer.heading;
    const heard = mixer.position - (stretches[TONAL]?.lag ?? 0);
    const { loop } = mixer;
    if (loop && mixer.turns > 0 && heard < loop.start) return heard + (loop.end - loop.start);
    return Math.max(0, heard);
  }

  report(time: number): Report {
    const { playing, starved, ended } = this.mixer;
    return { seek: this.seek, position: this.position, time, playing, starved, ended, peaks: this.mixer.takePeaks() };
  }

  private get plain(): boolean {
    return this.now.speed === 1 && this.now.pitch === 0;
  }

  private get twoBuses(): boolean {
    return this.now.pitch !== 0 && this.now.drums.length > 0;
  }

  private change(): void {
    const fresh = this.plain || this.wish.pitch !== this.now.pitch;
    this.now = this.wish;
    const { speed, pitch, drums } = this.now;
    this.stretches[TONAL]?.set(speed, pitch);
    this.stretches[DRUMS]?.set(speed, 0);
    this.mixer.buses.fill(TONAL);
    if (this.twoBuses) for (const stem of drums) this.mixer.buses[stem] = DRUMS;
    if (!fresh) return;
    for (const stretch of this.stretches) stretch.reset();
    for (const queue of this.queues) queue.length = 0;
  }

  private stretched(out: Bus): void {
    if (this.mixer.playing) this.rest = this.track.rate / 5;
    else if (this.rest > 0) this.rest -= out.left.length;
    else {
      for (const stretch of this.stretches) stretch.reset();
      for (const queue of this.queues) queue.length = 0;
      out.left.fill(0);
      out.right.fill(0);
      return;
    }
    this.stretches[TONAL]?.render(out);
    if (!this.twoBuses) return;
    const drums = this.scratchOf(0, out.left.length);
    this.stretches[DRUMS]?.render(drums);
    for (let i = 0; i < out.left.length; i += 1) {
      out.left[i] = (out.left[i] as number) + (drums.left[i] as number);
      out.right[i] = (out.right[i] as number) + (drums.right[i] as number);
    }
  }

  /** The next samples of a bus. The mixer makes both at once: what the other does not need yet waits for it. */
  private pull(bus: number, into: Bus): void {
    if (!this.twoBuses) {
      this.mixer.render([into]);
      return;
    }
    const waiting = this.queues[bus]?.shift();
    if (waiting) {
      into.left.set(waiting.left);
      into.right.set(waiting.right);
      return;
    }
    const length = into.left.length;
    const other: Bus = { left: new Float32Array(length), right: new Float32Array(length) };
    this.mixer.render(bus === TONAL ? [into, other] : [other, into]);
    this.queues[1 - bus]?.push(other);
  }

  /** A change of tempo or pitch begins in silence, and silence comes and goes softly. */
  private soften({ left, right }: Bus): void {
    const falling = this.wish !== this.now;
    if (!falling && this.gain === 1) return;
    for (let i = 0; i < left.length; i += 1) {
      this.gain = falling ? Math.max(0, this.gain - this.step) : Math.min(1, this.gain + this.step);
      left[i] = (left[i] as number) * this.gain;
      right[i] = (right[i] as number) * this.gain;
    }
    if (falling && this.gain === 0) this.change();
  }

  private scratchOf(number: number, length: number): Bus {
    let found = this.scratch[number];
    if (found?.left.length !== length) {
      found = { left: new Float32Array(length), right: new Float32Array(length) };
      this.scratch[number] = found;
    }
    return found;
  }
}
