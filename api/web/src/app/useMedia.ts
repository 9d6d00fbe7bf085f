import { useSyncExternalStore } from "react";

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (follower) => {
      const list = window.matchMedia?.(query);
      list?.addEventListener("change", follower);
      return () => list?.removeEventListener("change", follower);
    },
    () => window.matchMedia?.(query).matches ?? false,
  );
}
