/** Which part of the song is drawn, and zooming in it. */

import { Fields } from "./store";

export interface View {
  /** seconds */
  from: number;
  to: number;
}

const LEAST_SECONDS = 1;

export class Viewport extends Fields<View> {
  constructor(readonly duration: number) {
    super({ from: 0, to: duration });
  }

  get zoomed(): boolean {
    const { from, to } = this.get();
    return to - from < this.duration - 1e-6;
  }

  fit(): void {
    this.merge({ from: 0, to: this.duration });
  }

  /** `times` as much detail, with `around` staying where it is drawn. */
  zoom(times: number, around: number): void {
    const { from, to } = this.get();
    const length = Math.min(this.duration, Math.max(LEAST_SECONDS, (to - from) / times));
    const inside = around >= from && around <= to;
    const share = inside ? (around - from) / (to - from) : 0.5;
    this.show(around - share * length, length);
  }

  /** Bring a moment into view, a little behind the left edge. */
  follow(at: number): void {
    const { from, to } = this.get();
    if (at >= from && at < to) return;
    this.show(at - (to - from) * 0.05, to - from);
  }

  move(seconds: number): void {
    const { from, to } = this.get();
    this.show(from + seconds, to - from);
  }

  private show(from: number, length: number): void {
    const start = Math.min(Math.max(0, from), Math.max(0, this.duration - length));
    this.merge({ from: start, to: Math.min(this.duration, start + length) });
  }
}
