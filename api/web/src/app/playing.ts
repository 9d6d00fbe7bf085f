import type { Engine } from "../player/engine";
import { Store } from "./store";

/** The engine of the player on the screen, and the job that it plays; null where there is none. */
export const playing = new Store<{ jobId: string; engine: Engine } | null>(null);
