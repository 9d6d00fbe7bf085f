import { type RefObject, useEffect, useRef } from "react";

/** A canvas that is drawn again when it gets another size, other colours, or `draw` depends on something new. */
export function useCanvas(
  draw: (canvas: HTMLCanvasElement) => void,
  on: readonly unknown[],
): RefObject<HTMLCanvasElement | null> {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    const again = () => canvas.current && latest.current(canvas.current);
    const sizes = new ResizeObserver(again);
    if (canvas.current) sizes.observe(canvas.current);
    const themes = new MutationObserver(again);
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const queries = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((query) => matchMedia(query));
    for (const query of queries) query.addEventListener("change", again);
    return () => {
      sizes.disconnect();
      themes.disconnect();
      for (const query of queries) query.removeEventListener("change", again);
    };
  }, []);
  useEffect(() => {
    if (canvas.current) latest.current(canvas.current);
    // biome-ignore lint/correctness/useExhaustiveDependencies: the caller says on what its drawing depends
  }, on);
  return canvas;
}

/** Make the canvas as many device pixels as it covers; its context, cleared. */
export function prepare(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  const scale = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  context?.clearRect(0, 0, width, height);
  return context;
}
