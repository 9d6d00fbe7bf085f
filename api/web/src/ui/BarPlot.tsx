import { number } from "../i18n";
import styles from "./BarPlot.module.css";

interface Props {
  /** what is plotted, with its unit; a table beside it has the figures */
  label: string;
  values: readonly { name: string; value: number }[];
}

const WIDTH = 600;
const HEIGHT = 140;
const GAP = 2;

/** The next of 1, 2, 5, 10, 20 ... above a value. */
export function ceiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Figures over time as bars, from zero up to a round number that stands at the top. */
export function BarPlot({ label, values }: Props) {
  const top = ceiling(Math.max(...values.map((one) => one.value), 0));
  const step = WIDTH / Math.max(1, values.length);
  return (
    <figure className={styles.plot}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        <line x1="0" x2={WIDTH} y1="0.5" y2="0.5" className={styles.grid} />
        <line x1="0" x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} className={styles.grid} />
        {values.map((one, place) => {
          const height = (one.value / top) * HEIGHT;
          return (
            <rect
              key={one.name}
              x={place * step + GAP / 2}
              y={HEIGHT - height}
              width={Math.max(1, step - GAP)}
              height={height}
              className={styles.bar}
            >
              <title>{`${one.name}: ${number(one.value)}`}</title>
            </rect>
          );
        })}
        <line x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} className={styles.base} />
      </svg>
      <span className={styles.top} aria-hidden="true">
        {number(top)}
      </span>
      <figcaption className={styles.ends} aria-hidden="true">
        <span>{values[0]?.name}</span>
        <span>{values.at(-1)?.name}</span>
      </figcaption>
    </figure>
  );
}
