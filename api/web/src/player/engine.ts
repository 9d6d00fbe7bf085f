/** The player's engine: it has the right segments at the right time, and the mix as it was set. It draws nothing. */

import type { Job } from "../api";
import { Urls } from "./fetching";
import { factor, gainOf, type Strip } from "./gains";
import { AHEAD_SECONDS, AHEAD_SECONDS_PHONE, isSmall, wanted } from "./lookahead";
import type { FromWorklet, Report, ToWorklet } from "./messages";
import { loadMix, type Mix, saveMix } from "./mix";
import { buffersOf, type Segment } from "./mixer";
import { openPack } from "./pack";
import type { Source } from "./source";
import { Fields } from "./store";
import workletUrl from "./worklet?worker&url";

export type Phase = "opening" | "ready" | "playing" | "buffering" | "ended" | "interrupted" | "alone" | "failed";

export interface State {
  phase: Phase;
  /** whether sound is wanted, also while it buffers */
  playing: boolean;
  error: string | null;
  /** how often somebody went elsewhere: then what shows the position is drawn again, also while nothing plays */
  seeks: number;
}

const SAVE_MS = 400;
const LEAST_LOOP_SECONDS = 0.02;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const DRUMS = /drum|perc|beat/i;

export class Engine {
  readonly state = new Fields<State>({ phase: "opening", playing: false, error: null, seeks: 0 });
  readonly mix = new Fields<Mix>({ strips: {}, masterDb: 0, tempo: 1, pitch: 0, loop: null, looping: false });
  source: Source | null = null;
  readonly urls: Urls;
  /** the highest sample of each stem since it was read last */
  levels: Float32Array = new Float32Array(0);
  private context: AudioContext | null = null;
  private node: AudioWorkletNode | null = null;
  private starting: Promise<void> | null = null;
  private readonly held = new Set<number>();
  private readonly loading = new Map<number, AbortController>();
  private report: Report = {
    seek: 0,
    position: 0,
    time: 0,
    playing: false,
    starved: false,
    ended: false,
    peaks: new Float32Array(0),
  };
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private saving: ReturnType<typeof setTimeout> | undefined;
  private notBefore = 0; // the clock's milliseconds after which loading is tried again
  private seeks = 0;
  private settled = true; // whether the worklet has heard of the last seek
  /** the first segment, loaded before there is a worklet for it */
  private early: { number: number; segment: Segment } | null = null;
  private first: Promise<unknown> | null = null;
  private closed = false;

  /** `read` gives the job with fresh URLs, where it is none of the api's. */
  constructor(
    private readonly job: Job,
    read?: (id: string) => Promise<Job>,
  ) {
    this.urls = new Urls(job, read);
  }

  /** Find the stems and what was set before. Nothing sounds and no context is made. */
  async open(): Promise<void> {
    try {
      const source = await (this.job.preview ? openPack : (await import("./files")).openFiles)(this.job, this.urls);
      if (this.closed) return;
      if (!source) {
        this.state.merge({ phase: "alone" });
        return;
      }
      this.source = source;
      this.levels = new Float32Array(source.stems.length);
      this.mix.set(loadMix(this.job.id, source.stems, source.frames));
      this.state.merge({ phase: "ready" });
      this.preload(source);
    } catch (error) {
      if (!this.closed) this.fail(error);
    }
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.retry);
    this.save();
    for (const loading of this.loading.values()) loading.abort();
    void this.context?.close();
    this.context = null;
    this.node = null;
  }

  get rate(): number {
    return this.source?.rate ?? 44100;
  }

  get duration(): number {
    return this.source ? this.source.frames / this.source.rate : 0;
  }

  /** Seconds of the track that are heard now: the worklet's last word, moved on by the clock of the sound card. */
  get position(): number {
    const { report, context } = this;
    let at = report.position;
    if (report.playing && !report.starved && context) {
      const latency = context.outputLatency || context.baseLatency || 0;
      at += (context.currentTime - report.time - latency) * this.rate * this.mix.get().tempo;
      const loop = this.loop;
      if (loop && report.position < loop.end && at >= loop.end)
        at = loop.start + ((at - loop.end) % (loop.end - loop.start));
    }
    return Math.min(Math.max(0, at / this.rate), this.duration);
  }

  /** Seconds between a sample's making and its sound. */
  get latency(): number {
    return this.context ? this.context.outputLatency || this.context.baseLatency || 0 : 0;
  }

  /** Call it from a gesture: browsers let nothing sound before one. */
  async play(): Promise<void> {
    if (!this.source) return;
    this.state.merge({
      playing: true,
      phase: this.state.get().phase === "playing" ? "playing" : "buffering",
      error: null,
    });
    try {
      const session = (navigator as { audioSession?: { type: string } }).audioSession;
      if (session) session.type = "playback"; // an iPhone's silent switch is for rings, not for songs
      this.starting ??= this.start(this.source);
      await this.starting;
      await this.context?.resume();
      if (!this.state.get().playing) return;
      this.send({ type: "play" });
      this.fill();
    } catch (error) {
      this.starting = null;
      this.fail(error);
    }
  }

  pause(): void {
    this.state.merge({ playing: false, phase: this.state.get().phase === "failed" ? "failed" : "ready" });
    this.send({ type: "pause" });
  }

  toggle(): void {
    if (this.state.get().playing) this.pause();
    else void this.play();
  }

  /** Go to a second of the track. */
  seek(seconds: number): void {
    if (!this.source) return;
    const position = Math.round(Math.min(Math.max(0, seconds), this.duration) * this.rate);
    this.report = { ...this.report, position, time: this.context?.currentTime ?? 0, ended: false, playing: false };
    this.seeks += 1;
    this.settled = false;
    this.send({ type: "seek", position, id: this.seeks });
    this.state.merge({
      seeks: this.seeks,
      phase: this.state.get().phase === "ended" ? "ready" : this.state.get().phase,
    });
    this.fill();
  }

  strip(stem: string): Strip {
    return this.mix.get().strips[stem] ?? { db: 0, pan: 0, mute: false, solo: false };
  }

  set(stem: string, change: Partial<Strip>): void {
    const { strips } = this.mix.get();
    this.change({ strips: { ...strips, [stem]: { ...this.strip(stem), ...change } } });
  }

  /** Only this stem; once more, and all are back. */
  soloOnly(stem: string): void {
    const { strips } = this.mix.get();
    const alone = Object.entries(strips).every(([name, strip]) => strip.solo === (name === stem));
    const next = Object.entries(strips).map(([name, strip]) => [name, { ...strip, solo: !alone && name === stem }]);
    this.change({ strips: Object.fromEntries(next) });
  }

  change(change: Partial<Mix>): void {
    const before = this.mix.get();
    this.mix.merge(change);
    const now = this.mix.get();
    if (now === before) return;
    this.sendMix(before, now);
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.save(), SAVE_MS);
  }

  /** Set the loop in seconds, and turn it on. Too short a one is no loop. */
  setLoop(start: number, end: number): void {
    const first = Math.round(Math.min(Math.max(0, start), this.duration) * this.rate);
    const after = Math.round(Math.min(Math.max(0, end), this.duration) * this.rate);
    if (after - first < LEAST_LOOP_SECONDS * this.rate) return;
    this.change({ loop: { start: first, end: after }, looping: true });
  }

  private get loop() {
    const { loop, looping } = this.mix.get();
    return looping ? loop : null;
  }

  private async start(source: Source): Promise<void> {
    const context = new AudioContext({ sampleRate: source.rate, latencyHint: "interactive" });
    this.context = context;
    context.onstatechange = () => this.onContext(context);
    await context.audioWorklet.addModule(workletUrl);
    const node = new AudioWorkletNode(context, "stem-mixer", { numberOfInputs: 0, outputChannelCount: [2] });
    node.port.onmessage = ({ data }: MessageEvent<FromWorklet>) => {
      if ("dropped" in data) source.reuse(data.dropped);
      else this.onReport(data);
    };
    node.connect(context.destination);
    this.node = node;
    const { stems, frames, segmentFrames, rate } = source;
    this.send({ type: "track", track: { stems: stems.length, frames, segmentFrames, rate } });
    this.send({ type: "seek", position: this.report.position, id: this.seeks });
    this.sendMix(null, this.mix.get());
    await this.first; // what was loaded ahead need not be loaded again
  }

  private onContext(context: AudioContext): void {
    const state: string = context.state;
    if (state === "interrupted")
      this.state.merge({ phase: "interrupted" }); // a call comes in on a phone
    else if (state === "running" && this.state.get().phase === "interrupted") this.state.merge({ phase: "ready" });
  }

  private onReport(report: Report): void {
    report.peaks.forEach((peak, stem) => {
      if (peak > (this.levels[stem] ?? 0)) this.levels[stem] = peak;
    });
    if (report.seek !== this.seeks) return;
    this.report = report;
    this.settled = true;
    const { playing } = this.state.get();
    if (report.ended) this.state.merge({ phase: "ended", playing: false });
    else if (playing && this.state.get().phase !== "interrupted") {
      this.state.merge({ phase: report.starved || !report.playing ? "buffering" : "playing" });
    }
    this.fill();
  }

  private send(message: ToWorklet, transfer: Transferable[] = []): void {
    this.node?.port.postMessage(message, transfer);
  }

  private sendMix(before: Mix | null, now: Mix): void {
    const { source } = this;
    if (!source) return;
    if (before?.strips !== now.strips || before.masterDb !== now.masterDb) {
      const strips = source.stems.map((stem) => this.strip(stem));
      const anySolo = strips.some((strip) => strip.solo);
      const gains = strips.map((strip) => gainOf(strip, anySolo));
      this.send({ type: "gains", gains, master: factor(now.masterDb), now: before === null });
    }
    if (before?.loop !== now.loop || before?.looping !== now.looping) {
      this.send({ type: "loop", loop: this.loop });
      this.fill();
    }
    if (before?.tempo !== now.tempo || before?.pitch !== now.pitch) {
      const drums = source.stems.flatMap((stem, place) => (DRUMS.test(stem) ? [place] : []));
      this.send({ type: "stretch", speed: now.tempo, pitch: now.pitch, drums });
    }
  }

  private save(): void {
    if (this.source) saveMix(this.job.id, this.mix.get());
  }

  /** Load the first segment before anybody asks to hear it, unless the reader saves data. */
  private preload(source: Source): void {
    const saves = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
    if (saves || !this.job.preview) return;
    this.first = this.load(source, 0).catch(() => undefined);
  }

  private async load(source: Source, number: number): Promise<void> {
    const aborter = new AbortController();
    this.loading.set(number, aborter);
    try {
      const segment = await source.load(number, aborter.signal);
      if (this.closed || aborter.signal.aborted) return;
      this.failures = 0;
      if (this.node) this.put(number, segment);
      else this.early = { number, segment };
    } finally {
      if (this.loading.get(number) === aborter) this.loading.delete(number);
    }
  }

  private put(number: number, segment: Segment): void {
    this.held.add(number);
    this.send({ type: "put", number, segment }, [...buffersOf(segment)]);
  }

  /** Load what will sound next, drop what has sounded. */
  private fill(): void {
    const { source, node } = this;
    if (!source || !node || this.closed) return;
    if (this.early) {
      this.put(this.early.number, this.early.segment);
      this.early = null;
    }
    const small = isSmall();
    const ahead = (small ? AHEAD_SECONDS_PHONE : AHEAD_SECONDS) * source.rate;
    const atOnce = small ? 1 : 2; // a segment that is being decoded is in memory twice
    const { frames, segmentFrames } = source;
    const numbers = wanted({ position: this.report.position, ahead, frames, segmentFrames, loop: this.loop });
    // after a jump the old place sounds on until it has faded
    const old = this.settled ? [...this.held].filter((number) => !numbers.includes(number)) : [];
    for (const number of old) this.held.delete(number);
    if (old.length > 0) this.send({ type: "drop", numbers: old });
    for (const [number, aborter] of this.loading) {
      if (numbers.includes(number)) continue;
      aborter.abort();
      this.loading.delete(number);
    }
    if (performance.now() < this.notBefore) return;
    for (const number of numbers) {
      if (this.loading.size >= atOnce) return;
      if (this.held.has(number) || this.loading.has(number)) continue;
      this.load(source, number).then(
        () => this.fill(),
        (error: unknown) => this.onLoadFailed(error),
      );
    }
  }

  private onLoadFailed(error: unknown): void {
    if (this.closed || (error instanceof DOMException && error.name === "AbortError")) return;
    const pause = RETRY_MS[this.failures];
    this.failures += 1;
    if (pause === undefined) {
      this.failures = 0;
      this.pause();
      this.fail(error);
      return;
    }
    this.notBefore = performance.now() + pause;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.fill(), pause + 10);
  }

  private fail(error: unknown): void {
    this.state.merge({
      phase: "failed",
      playing: false,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}
