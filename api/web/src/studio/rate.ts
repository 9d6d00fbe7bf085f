/** Bytes a second over the last seconds of what really moved. */
export class Rate {
  private marks: { at: number; sent: number }[] = [];

  constructor(private readonly windowMs = 5000) {}

  /** The rate after `sent` bytes in all; null until a second of figures is there. */
  after(sent: number, now: number = performance.now()): number | null {
    this.marks.push({ at: now, sent });
    while (this.marks.length > 2 && (this.marks[1]?.at ?? now) < now - this.windowMs) this.marks.shift();
    const first = this.marks[0];
    if (!first || now - first.at < 1000) return null;
    return ((sent - first.sent) * 1000) / (now - first.at);
  }
}
