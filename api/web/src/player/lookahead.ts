/** Which segments a player must have: those that sound next, and where the loop begins. */

import type { Loop } from "./mixer";

export const AHEAD_SECONDS = 24;
/** With the segment that sounds now and the rest of the last one, these are 12 seconds at most. */
export const AHEAD_SECONDS_PHONE = 8;

export interface Span {
  position: number;
  /** samples to have from there on */
  ahead: number;
  frames: number;
  segmentFrames: number;
  loop: Loop | null;
}

/** Numbers of segments in the order in which they will sound. */
export function wanted({ position, ahead, frames, segmentFrames, loop }: Span): number[] {
  const found = new Set<number>();
  let at = Math.min(position, Math.max(0, frames - 1));
  let left = Math.max(1, ahead);
  while (left > 0 && at < frames) {
    const number = Math.floor(at / segmentFrames);
    found.add(number);
    let next = Math.min((number + 1) * segmentFrames, frames);
    const inside = loop !== null && at < loop.end;
    if (inside && loop.end <= next) next = loop.end;
    left -= next - at;
    if (inside && next === loop.end) {
      if (everyOf(loop, segmentFrames, found)) break;
      at = loop.start;
    } else at = next;
  }
  if (loop) found.add(Math.floor(loop.start / segmentFrames));
  return [...found];
}

function everyOf(loop: Loop, segmentFrames: number, found: ReadonlySet<number>): boolean {
  const last = Math.floor((loop.end - 1) / segmentFrames);
  for (let number = Math.floor(loop.start / segmentFrames); number <= last; number += 1) {
    if (!found.has(number)) return false;
  }
  return true;
}

/** Whether this is a phone or another small machine: it gets a shorter look-ahead. */
export function isSmall(): boolean {
  const memory = (navigator as { deviceMemory?: number }).deviceMemory ?? 8;
  return memory <= 2 || window.matchMedia("(pointer: coarse) and (max-width: 50rem)").matches;
}
