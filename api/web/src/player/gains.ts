/** From what the reader set to what the ears get: volume, pan, mute and solo as factors of left and right. */

import type { Gain } from "./mixer";

export interface Strip {
  /** -60 to +6 */
  db: number;
  /** -1 (left) to 1 (right) */
  pan: number;
  mute: boolean;
  solo: boolean;
}

export const LEAST_DB = -60;
export const MOST_DB = 6;
export const DB_STEP = 0.5;

/** A strip that changes nothing. */
export const PLAIN: Strip = { db: 0, pan: 0, mute: false, solo: false };

export function factor(db: number): number {
  return 10 ** (db / 20);
}

/** Whether a stem sounds. Mutes survive solo: a stem that is both is silent. */
export function audible(strip: Strip, anySolo: boolean): boolean {
  return !strip.mute && (strip.solo || !anySolo);
}

/**
 * The factors of a stem's channels. Pan is a balance: it turns down the far side and leaves the near one as it is, so
 * that a stem in the middle is the file, to the last bit.
 */
export function gainOf(strip: Strip, anySolo: boolean): Gain {
  if (!audible(strip, anySolo)) return { left: 0, right: 0 };
  const whole = factor(strip.db);
  return { left: whole * Math.min(1, 1 - strip.pan), right: whole * Math.min(1, 1 + strip.pan) };
}

/** A level as it is written: `−3.5 dB`. */
export function clampDb(db: number): number {
  return Math.min(MOST_DB, Math.max(LEAST_DB, Math.round(db / DB_STEP) * DB_STEP));
}

export function clampPan(pan: number): number {
  return Math.min(1, Math.max(-1, Math.round(pan * 20) / 20));
}
