/** What each part of one player shares. */

import { type ComponentType, createContext, useContext } from "react";
import type { Job } from "../api";
import type { Engine } from "./engine";
import type { Lane } from "./lanes";
import type { Peaks } from "./peaks";
import type { Viewport } from "./view";

/** What stands above the lanes along time: it is no part of the player. */
export type StripPart = ComponentType<{ job: Job; engine: Engine; view: Viewport }>;

export interface Parts {
  job: Job;
  engine: Engine;
  view: Viewport;
  lanes: Lane[];
  /** null: not here yet, or never */
  peaks: Peaks | null;
  /** grows when there is something new to draw */
  drawing: number;
  /** what makes the loudest stem fill its lane */
  gain: number;
  Strip?: StripPart;
}

export const PlayerContext = createContext<Parts | null>(null);

export function useParts(): Parts {
  const parts = useContext(PlayerContext);
  if (!parts) throw new Error("outside of a player");
  return parts;
}
