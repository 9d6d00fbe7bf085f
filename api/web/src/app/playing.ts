import type { Engine } from "../player/engine";
import { Store } from "./store";

/** The engine of the player on the screen, and the job that it plays; null where there is none. */
export const playing = new Store<{ jobId: string; engine: Engine } | null>(null);

const all = new Set<Engine>();

/** Two that sound at once are no music: who starts stops the others. Returns what ends that. */
export function alone(engine: Engine): () => void {
  all.add(engine);
  const unfollow = engine.state.subscribe(() => {
    if (!engine.state.get().playing) return;
    for (const other of all) if (other !== engine && other.state.get().playing) other.pause();
  });
  return () => {
    unfollow();
    all.delete(engine);
  };
}
