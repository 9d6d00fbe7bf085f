import { prepare } from "../ui/useCanvas";
import { type Analysis, NO_CHORD, type Span, within } from "./analysis";
import { keyName } from "./keyName";

const HUES = ["other", "bass", "vocals", "guitar", "piano", "drums"];
const FORCED = "(forced-colors: active)";
/** of the height: sections, chords, beats */
const BANDS = [0.3, 0.42, 0.28] as const;
const LEAST_TEXT = 14; // CSS pixels of a span that has room for its label
const LEAST_BEATS = 5; // CSS pixels between two beats that are drawn

interface Pen {
  context: CanvasRenderingContext2D;
  scale: number;
  x: (seconds: number) => number;
  ink: string;
  colour: (name: string) => string;
  forced: boolean;
}

/** Draw sections, chords and beats between two moments, one below the other. */
export function drawStrip(canvas: HTMLCanvasElement, found: Analysis, from: number, to: number): void {
  const context = prepare(canvas);
  if (!context || to <= from) return;
  const style = getComputedStyle(canvas);
  const { width, height } = canvas;
  const pen: Pen = {
    context,
    scale: width / Math.max(1, canvas.clientWidth),
    x: (seconds) => ((seconds - from) / (to - from)) * width,
    ink: style.color,
    colour: (name) => probe(canvas, name, style.color),
    forced: matchMedia(FORCED).matches,
  };
  context.textBaseline = "middle";
  const heights = BANDS.map((share) => share * height) as [number, number, number];
  const shown = (spans: readonly Span[]) => spans.filter((span) => span.end > from && span.start < to);
  drawSections(pen, shown(found.sections ?? []), 0, heights[0]);
  drawChords(pen, shown(found.chords ?? []), heights[0], heights[1]);
  drawBeats(pen, found, [from, to], heights[0] + heights[1], heights[2]);
}

/** A custom property as a colour that a canvas takes: `light-dark()` is worked out by an element. */
function probe(canvas: HTMLCanvasElement, name: string, fallback: string): string {
  const element = canvas.parentElement?.appendChild(document.createElement("i"));
  if (!element) return fallback;
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.remove();
  return color || fallback;
}

function label(pen: Pen, text: string, left: number, right: number, middle: number, weight: number): void {
  const { context, scale } = pen;
  const start = Math.max(left, 0);
  if (right - start < LEAST_TEXT * scale) return;
  context.font = `${weight} ${12 * scale}px system-ui, sans-serif`;
  if (context.measureText(text).width > right - start - 6 * scale) return;
  context.fillStyle = pen.ink;
  context.fillText(text, start + 4 * scale, middle);
}

function drawSections(pen: Pen, sections: readonly Span[], top: number, height: number): void {
  const { context, scale } = pen;
  for (const { start, end, label: letter } of sections) {
    const [left, right] = [pen.x(start), pen.x(end)];
    const hue = HUES[(letter.codePointAt(0) ?? 0) % HUES.length] ?? "other";
    context.globalAlpha = pen.forced ? 0 : 0.28;
    context.fillStyle = pen.colour(`--stem-${hue}`);
    context.fillRect(left, top, right - left - scale, height - scale);
    context.globalAlpha = 1;
    context.fillStyle = pen.forced ? pen.ink : pen.colour(`--stem-${hue}`);
    context.fillRect(left, top, 2 * scale, height - scale);
    label(pen, letter, left + 2 * scale, right, top + height / 2, 700);
  }
}

function drawChords(pen: Pen, chords: readonly Span[], top: number, height: number): void {
  const { context, scale } = pen;
  const edge = pen.colour("--edge");
  for (const { start, end, label: chord } of chords) {
    if (chord === NO_CHORD) continue;
    const [left, right] = [pen.x(start), pen.x(end)];
    context.globalAlpha = pen.forced ? 0 : 0.14;
    context.fillStyle = pen.ink;
    context.fillRect(left, top + 2 * scale, Math.max(scale, right - left - scale), height - 4 * scale);
    context.globalAlpha = 1;
    context.fillStyle = pen.forced ? pen.ink : edge;
    context.fillRect(left, top + 2 * scale, scale, height - 4 * scale);
    label(pen, keyName(chord), left, right, top + height / 2, 600);
  }
}

/** Each beat as a short line, the first of a bar as a long one; of crowded beats only the bars. */
function drawBeats(pen: Pen, found: Analysis, span: readonly [number, number], top: number, height: number): void {
  const { context, scale } = pen;
  const draw = (times: readonly number[], share: number, width: number) => {
    const [first, after] = within(times, span[0], span[1]);
    const room = (pen.x(span[1]) - pen.x(span[0])) / Math.max(1, after - first);
    const step = Math.max(1, 2 ** Math.ceil(Math.log2((LEAST_BEATS * scale) / room)));
    for (let at = first; at < after; at += 1) {
      if (at % step === 0)
        context.fillRect(pen.x(times[at] as number), top + height * (1 - share), width, height * share);
    }
    return step;
  };
  context.fillStyle = pen.forced ? pen.ink : pen.colour("--ink-soft");
  const beats = found.beats ?? [];
  const [first, after] = within(beats, span[0], span[1]);
  if ((pen.x(span[1]) - pen.x(span[0])) / Math.max(1, after - first) >= LEAST_BEATS * scale) draw(beats, 0.4, scale);
  context.fillStyle = pen.ink;
  draw(found.downbeats ?? [], 0.85, scale);
}
