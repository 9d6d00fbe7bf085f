import { useEffect, useState } from "react";
import { Problem } from "../api";
import { alone } from "../app/playing";
import { Store } from "../app/store";
import type { Engine, State } from "../player/engine";
import { type Part, readPiece } from "./piece";

/** What stands for the state of an engine that is not here yet. */
export const IDLE = new Store<State>({ phase: "opening", playing: false, error: null, seeks: 0 });

/** An engine that plays these parts, once it is wanted; it alone sounds. */
export function usePiece(parts: readonly Part[], wanted: boolean) {
  const [engine, setEngine] = useState<Engine | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const key = JSON.stringify(parts);
  useEffect(() => {
    if (!wanted) return;
    const asked: Part[] = JSON.parse(key);
    let made: Engine | null = null;
    let end = () => {};
    let gone = false;
    const open = async () => {
      const [{ Engine: Made }, job] = await Promise.all([import("../player"), readPiece(asked)]);
      if (gone) return;
      made = new Made(job, () => readPiece(asked));
      end = alone(made);
      await made.open();
      if (!gone) setEngine(made);
    };
    open().catch((error: unknown) => {
      if (!gone) setProblem(error instanceof Problem ? error : new Problem("page_error", String(error)));
    });
    return () => {
      gone = true;
      end();
      made?.close();
      setEngine(null);
      setProblem(null);
    };
  }, [key, wanted]);
  return { engine, problem };
}
