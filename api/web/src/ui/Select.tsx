import { Field } from "./Field";

interface Props<T extends string> {
  label: string;
  hint?: string;
  value: T;
  options: readonly T[];
  /** what people read for an option; the option itself where it is not given */
  text?: (option: T) => string;
  onChange: (option: T) => void;
}

/** One of several values, in a list that opens. */
export function Select<T extends string>({ label, hint, value, options, text, onChange }: Props<T>) {
  return (
    <Field label={label} hint={hint}>
      {(control) => (
        <select
          {...control}
          value={value}
          onChange={(event) => onChange(options.find((one) => one === event.target.value) ?? value)}
        >
          {options.map((one) => (
            <option key={one} value={one}>
              {text ? text(one) : one}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
