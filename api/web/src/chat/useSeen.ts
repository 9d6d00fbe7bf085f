import { useRef } from "react";
import type { Message } from "./useTalk";

/** The number of the newest message at the first look: what came later, came while its reader was here. */
export function useSeen(begins: boolean, loaded: boolean, messages: readonly Message[]): number {
  const seen = useRef<number | null>(begins ? 0 : null);
  if (seen.current === null && loaded) seen.current = messages.at(-1)?.number ?? 0;
  return seen.current ?? Number.POSITIVE_INFINITY;
}
