import { number } from "../i18n";
import { Field } from "./Field";

interface Props {
  label: string;
  hint: string;
  /** 0 to 1 */
  value: number;
  /** reads so many percent aloud */
  text: (percent: number) => string;
  onChange: (value: number) => void;
}

/** How much of something, on a slider. */
export function Share({ label, hint, value, text, onChange }: Props) {
  return (
    <Field label={`${label}: ${number(value * 100, 0)} %`} hint={hint}>
      {(control) => (
        <input
          {...control}
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={value}
          aria-valuetext={text(Math.round(value * 100))}
          onChange={(event) => onChange(event.target.valueAsNumber)}
        />
      )}
    </Field>
  );
}
