import { type RefObject, useEffect } from "react";

/** Marks the field that has the focus where nothing else in the drawer has. */
export const HOME = { "data-home": true } as const;

/** Put the focus where one goes on: into the field, by touch into the drawer, whose keyboard would cover what is said. */
export function goHome(drawer: HTMLElement | null): void {
  const touch = window.matchMedia?.("(pointer: coarse)").matches ?? false;
  const field = touch ? null : drawer?.querySelector<HTMLElement>("[data-home]");
  (field ?? drawer)?.focus();
}

/** Keep the focus in the drawer when what had it goes away: a button of a plan that was confirmed, a row that is deleted. */
export function useKeptFocus(part: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const drawer = part.current;
    if (!drawer) return;
    let inside = drawer.contains(document.activeElement);
    const onMove = (event: Event) => {
      inside = event.target instanceof Node && drawer.contains(event.target);
    };
    const watch = new MutationObserver(() => {
      if (inside && document.activeElement === document.body) goHome(drawer);
    });
    watch.observe(drawer, { childList: true, subtree: true });
    document.addEventListener("focusin", onMove);
    document.addEventListener("pointerdown", onMove);
    return () => {
      watch.disconnect();
      document.removeEventListener("focusin", onMove);
      document.removeEventListener("pointerdown", onMove);
    };
  }, [part]);
}
