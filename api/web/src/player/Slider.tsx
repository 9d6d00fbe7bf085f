import { type KeyboardEvent, useId } from "react";
import { NumberField } from "./NumberField";
import styles from "./Slider.module.css";

interface Props {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  /** by how much PageUp and PageDown change it */
  page: number;
  /** where a double click and Delete lead */
  rest: number;
  /** the value as it is read aloud */
  text: string;
  onChange: (value: number) => void;
  /** names the number field beside, which has `value` times `times`; none: no field */
  field?: string;
  times?: number;
  unit?: string;
  /** what stands at both ends */
  ends?: readonly [string, string];
}

/** A native slider, with a number field beside it for who knows the figure. */
export function Slider(props: Props) {
  const { label, value, min, max, step, page, rest, text, onChange, field, times = 1, unit, ends } = props;
  const id = useId();
  const onKeyDown = (event: KeyboardEvent) => {
    const next = { Delete: rest, Backspace: rest, PageUp: value + page, PageDown: value - page }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    onChange(Math.min(max, Math.max(min, next)));
  };
  return (
    <span className={styles.slider}>
      {ends ? <End>{ends[0]}</End> : null}
      <input
        id={id}
        type="range"
        aria-label={label}
        aria-valuetext={text}
        min={min}
        max={max}
        step={step}
        value={value}
        onChange={(event) => onChange(event.target.valueAsNumber)}
        onKeyDown={onKeyDown}
        onDoubleClick={() => onChange(rest)}
      />
      {ends ? <End>{ends[1]}</End> : null}
      {field ? (
        <span className={styles.figure}>
          <NumberField
            live
            label={field}
            value={value * times}
            min={min * times}
            max={max * times}
            step={step * times}
            digits={times === 1 ? 1 : 0}
            onChange={(next) => onChange(next / times)}
          />
          {unit ? <span aria-hidden="true">{unit}</span> : null}
        </span>
      ) : null}
    </span>
  );
}

function End({ children }: { children: string }) {
  return (
    <span className={styles.end} aria-hidden="true">
      {children}
    </span>
  );
}
