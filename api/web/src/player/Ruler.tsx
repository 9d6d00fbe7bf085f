import { useStore } from "../app/store";
import { clock } from "../i18n";
import { useParts } from "./context";
import styles from "./Ruler.module.css";

const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
const MOST_MARKS = 10;

/** Times over the waveforms. */
export function Ruler() {
  const { view } = useParts();
  const { from, to } = useStore(view);
  const step = STEPS.find((one) => (to - from) / one <= MOST_MARKS) ?? 3600;
  const marks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) marks.push(at);
  return (
    <div className={styles.ruler} aria-hidden="true">
      {marks.map((at) => (
        <span key={at} className={styles.mark} style={{ left: `${((at - from) / (to - from)) * 100}%` }}>
          {step < 1 ? `${clock(at)}.${Math.round((at % 1) * 10)}` : clock(at)}
        </span>
      ))}
    </div>
  );
}
