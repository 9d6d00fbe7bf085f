import { useRef } from "react";
import { useStore } from "../app/store";
import { useFrames } from "../ui/useFrames";
import { useParts } from "./context";
import styles from "./Meter.module.css";

const LEAST_DB = -48;
const FALL = 0.9; // a picture; the eye needs a moment to read a peak

/** How loud a stem is now, as it is heard. */
export function Meter({ place }: { place: number }) {
  const { engine } = useParts();
  const { phase } = useStore(engine.state);
  const bar = useRef<HTMLDivElement>(null);
  const level = useRef(0);
  useFrames(phase === "playing", () => {
    const peak = engine.levels[place] ?? 0;
    engine.levels[place] = 0;
    level.current = phase === "playing" ? Math.max(peak, level.current * FALL) : 0;
    const share = level.current > 0 ? 1 - (20 * Math.log10(level.current)) / LEAST_DB : 0;
    bar.current?.style.setProperty("transform", `scaleY(${Math.min(1, Math.max(0, share))})`);
  });
  return (
    <div className={styles.meter} aria-hidden="true">
      <div ref={bar} className={styles.bar} />
    </div>
  );
}
