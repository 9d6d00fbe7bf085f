/** Draws a stem's waveform on a canvas. */

import { prepare } from "../ui/useCanvas";
import type { Peaks } from "./peaks";
import type { View } from "./view";

const FULL_SCALE = 127;
const LEAST_HEIGHT = 1; // device pixels: silence is a line

/** Draw stems over each other, each column from the lowest to the highest sample; `gain` fills the height. */
export function drawWave(
  canvas: HTMLCanvasElement,
  peaks: Peaks,
  stems: readonly number[],
  view: View,
  gain: number,
): void {
  const context = prepare(canvas);
  if (!context) return;
  const { width, height } = canvas;
  const { rate } = peaks.head;
  const from = view.from * rate;
  const perColumn = ((view.to - view.from) * rate) / width;
  const middle = height / 2;
  const scale = (middle / FULL_SCALE) * gain;
  context.fillStyle = getComputedStyle(canvas).color;
  const lows = new Float32Array(width);
  const highs = new Float32Array(width);
  for (const stem of stems) {
    const { zoom, first, values } = peaks.get(stem, perColumn, from, view.to * rate);
    const step = perColumn / zoom.samplesPerPixel;
    const start = from / zoom.samplesPerPixel - first;
    const last = values.length / 2 - 1;
    for (let column = 0; column < width; column += 1) {
      const a = Math.floor(start + column * step);
      const b = Math.min(last, Math.max(a, Math.ceil(start + (column + 1) * step) - 1));
      for (let pixel = Math.max(0, a); pixel <= b; pixel += 1) {
        const low = values[2 * pixel] as number;
        const high = values[2 * pixel + 1] as number;
        if (low < (lows[column] as number)) lows[column] = low;
        if (high > (highs[column] as number)) highs[column] = high;
      }
    }
  }
  context.beginPath();
  for (let column = 0; column < width; column += 1) {
    const top = middle - (highs[column] as number) * scale;
    const tall = Math.max(LEAST_HEIGHT, ((highs[column] as number) - (lows[column] as number)) * scale);
    context.rect(column, tall === LEAST_HEIGHT ? middle - 0.5 : top, 1, tall);
  }
  context.fill();
}

/** The highest pixel of all stems, as a share of full scale. */
export function loudest(peaks: Peaks): number {
  const zoom = peaks.head.zooms[0];
  if (!zoom) return 1;
  let found = 0;
  for (let stem = 0; stem < peaks.head.stems.length; stem += 1) {
    const { values } = peaks.get(stem, Number.MAX_SAFE_INTEGER, 0, peaks.head.frames);
    for (const value of values) found = Math.max(found, Math.abs(value));
  }
  return found / FULL_SCALE;
}
