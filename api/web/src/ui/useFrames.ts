import { useEffect, useRef } from "react";

/** Call `draw` before each picture while `active`, and after each time that its component is drawn. */
export function useFrames(active: boolean, draw: () => void): void {
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => draw());
  useEffect(() => {
    if (!active) return;
    let frame = 0;
    const next = () => {
      latest.current();
      frame = requestAnimationFrame(next);
    };
    frame = requestAnimationFrame(next);
    return () => cancelAnimationFrame(frame);
  }, [active]);
}
