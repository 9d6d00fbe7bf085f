import { useEffect, useState } from "react";
import type { Job } from "../api";
import { alone } from "../app/playing";
import type { Engine } from "../player/engine";
import { pairOf, readPair, SIDES, type Side } from "./pair";

/** An engine that plays a master and its original together; null until it is here. */
export function usePair(master: Job, original: Job, output: string): Engine | null {
  const [engine, setEngine] = useState<Engine | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: fresh URLs are no reason for another engine
  useEffect(() => {
    const pair = pairOf(master, original, output);
    let made: Engine | null = null;
    let gone = false;
    if (!pair) return;
    void import("../player").then(({ Engine }) => {
      if (gone) return;
      made = new Engine(pair, () => readPair(master.id, original.id, output));
      setEngine(made);
      void made.open();
    });
    return () => {
      gone = true;
      made?.close();
    };
  }, [master.id, original.id, output]);
  return engine;
}

/** Let one side be heard, with these gains in dB. */
export function hear(engine: Engine, side: Side, gains: Record<Side, number>): void {
  for (const one of SIDES) engine.set(one, { db: gains[one], pan: 0, solo: false, mute: one !== side });
}

/** Two that sound at once are no comparison. */
export function useAlone(engine: Engine): void {
  useEffect(() => alone(engine), [engine]);
}
