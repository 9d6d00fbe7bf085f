import { useEffect, useLayoutEffect, useRef } from "react";

const NEAR = 120; // pixels: who has scrolled further up is reading

/** A part that stays at its end as it grows, unless its reader has scrolled up; `mark` changes when something comes. */
export function useBottom(mark: string) {
  const part = useRef<HTMLElement>(null);
  const near = useRef(true);
  useEffect(() => {
    const element = part.current;
    if (!element) return;
    const onScroll = () => {
      near.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    };
    const onGrowth = () => {
      if (near.current) element.scrollTop = element.scrollHeight;
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    const watch = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(onGrowth);
    for (const child of element.children) watch?.observe(child);
    watch?.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      watch?.disconnect();
    };
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is new is looked at
  useLayoutEffect(() => {
    const element = part.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, [mark]);
  return part;
}
