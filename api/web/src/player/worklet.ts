/** The audio thread's end of the player: it runs a deck, and reports where it is. */

import { Deck } from "./deck";
import type { ToWorklet } from "./messages";

// What the audio thread has; TypeScript's DOM library describes the page's alone.
declare const sampleRate: number;
declare const currentTime: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

const REPORTS_A_SECOND = 30;

class StemMixer extends AudioWorkletProcessor {
  private deck: Deck | null = null;
  private since = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => {
      if (data.type === "track") this.deck = new Deck(data.track);
      else this.deck?.take(data);
      const dropped = this.deck?.takeDropped() ?? [];
      // its memory is used again: the audio thread seldom collects its garbage
      if (dropped.length > 0) this.port.postMessage({ dropped }, dropped);
      if (data.type === "seek" || data.type === "pause" || data.type === "play") this.since = sampleRate;
    };
  }

  process(_: Float32Array[][], outputs: Float32Array[][]): boolean {
    const left = outputs[0]?.[0];
    const right = outputs[0]?.[1];
    if (!this.deck || !left || !right) return true;
    const { position } = this.deck;
    const before = this.deck.mixer.playing;
    this.deck.render({ left, right });
    this.since += left.length;
    const changed = before !== this.deck.mixer.playing;
    if (changed || this.since >= sampleRate / REPORTS_A_SECOND) {
      this.since = 0;
      this.port.postMessage({ ...this.deck.report(currentTime), position: changed ? this.deck.position : position });
    }
    return true;
  }
}

registerProcessor("stem-mixer", StemMixer);
