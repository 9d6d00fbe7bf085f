import { useState } from "react";

interface Props {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  digits: number;
  className?: string | undefined;
  /** whether each figure holds as it is typed; else it holds with Enter, or when the field is left */
  live?: boolean;
  onChange: (value: number) => void;
}

/** A figure that can be typed: what is not whole yet, such as a lone minus, changes nothing. */
export function NumberField({ label, value, min, max, step, digits, className, live = false, onChange }: Props) {
  const [text, setText] = useState<string | null>(null);
  const shown = value.toFixed(digits);
  const hold = (given: string | null) => {
    const number = Number(given);
    if (given === null || given === "" || !Number.isFinite(number) || number === Number(shown)) return;
    onChange(Math.min(max, Math.max(min, number)));
  };
  const done = () => {
    hold(text);
    setText(null);
  };
  return (
    <input
      type="number"
      aria-label={label}
      title={label}
      className={className}
      min={min}
      max={max}
      step={step}
      value={text ?? shown}
      onChange={(event) => {
        setText(event.target.value);
        if (live) hold(event.target.value);
      }}
      onBlur={done}
      onKeyDown={(event) => {
        if (event.key === "Enter") done();
      }}
    />
  );
}
