import { type ReactNode, useId } from "react";
import styles from "./Choice.module.css";

interface Props<V extends string> {
  legend: string;
  value: V;
  choices: readonly { value: V; label: string }[];
  onChange: (value: V) => void;
  children?: ReactNode;
}

/** A few choices side by side, of which one holds: native radio buttons. */
export function Choice<V extends string>({ legend, value, choices, onChange, children }: Props<V>) {
  const name = useId();
  return (
    <fieldset className={styles.choice}>
      <legend>{legend}</legend>
      <div className={styles.row}>
        {choices.map((choice) => (
          <label key={choice.value} className={styles.one}>
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={choice.value === value}
              onChange={() => onChange(choice.value)}
            />
            <span>{choice.label}</span>
          </label>
        ))}
      </div>
      {children}
    </fieldset>
  );
}
