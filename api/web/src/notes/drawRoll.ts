import { prepare } from "../ui/useCanvas";
import { barsIn, pitchRange, type StemNotes, type Transcription } from "./notes";

const BLACK = new Set([1, 3, 6, 8, 10]);
const MOST_BARS = 80;
const LEAST_NOTE = 2; // CSS pixels

/** What draws each stem: its colour, and whether it is hatched by an outline, for who sees no colours. */
export type Colour = (stem: string) => string;

/** Draw the notes of stems between two moments: pitch upwards, time to the right. */
export function drawRoll(
  canvas: HTMLCanvasElement,
  found: Transcription,
  stems: readonly StemNotes[],
  view: readonly [number, number],
  colour: Colour,
): void {
  const context = prepare(canvas);
  const range = pitchRange(stems);
  if (!context || !range) return;
  const [from, to] = view;
  const [low, high] = range;
  const { width, height } = canvas;
  const scale = width / Math.max(1, canvas.clientWidth);
  const row = height / (high - low + 1);
  const ink = getComputedStyle(canvas).color;
  const x = (seconds: number) => ((seconds - from) / (to - from)) * width;
  const y = (pitch: number) => height - (pitch - low + 1) * row;

  context.fillStyle = ink;
  for (let pitch = low; pitch <= high; pitch += 1) {
    context.globalAlpha = 0.06;
    if (BLACK.has(pitch % 12)) context.fillRect(0, y(pitch), width, row);
    context.globalAlpha = 0.3;
    if (pitch % 12 === 0) context.fillRect(0, y(pitch) + row - scale / 2, width, scale / 2);
  }
  const bars = barsIn(found, from, to);
  context.globalAlpha = 0.22;
  if (bars.length <= MOST_BARS) for (const bar of bars) context.fillRect(x(bar), 0, scale, height);

  for (const { name, notes } of stems) {
    context.fillStyle = colour(name);
    for (const { start, end, pitch, velocity } of notes) {
      if (end <= from || start >= to) continue;
      context.globalAlpha = 0.45 + (0.55 * velocity) / 127;
      const wide = Math.max(LEAST_NOTE * scale, x(end) - x(start) - scale / 2);
      context.fillRect(x(start), y(pitch), wide, Math.max(scale, row - scale / 2));
    }
  }
  context.globalAlpha = 1;
  context.fillStyle = ink;
  context.textBaseline = "bottom";
  context.font = `${11 * scale}px system-ui, sans-serif`;
  for (let pitch = low; pitch <= high; pitch += 1) {
    if (pitch % 12 === 0) context.fillText(`C${pitch / 12 - 1}`, 3 * scale, y(pitch) + row);
  }
}
