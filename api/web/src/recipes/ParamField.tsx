import { Check } from "../ui/Check";
import { Field } from "../ui/Field";
import { Select } from "../ui/Select";
import { type Param, wrong } from "./params";
import styles from "./Recipes.module.css";

const MOST_TEXT = 1000;

interface Props {
  param: Param;
  value: string | boolean;
  onChange: (value: string | boolean) => void;
}

/** One parameter of a recipe, by its type. */
export function ParamField({ param, value, onChange }: Props) {
  const { type, title, help, choices, least, most } = param;
  if (type === "flag") {
    return (
      <div>
        <Check checked={value === true} onChange={onChange}>
          {title}
        </Check>
        {help ? <p className={styles.help}>{help}</p> : null}
      </div>
    );
  }
  const text = String(value);
  if (type === "choice") {
    return <Select label={title} hint={help} value={text} options={choices} onChange={onChange} />;
  }
  const figure = type !== "text";
  return (
    <Field label={title} hint={help} error={wrong(param, value)}>
      {(control) => (
        <input
          {...control}
          {...(figure
            ? {
                type: "number",
                inputMode: type === "integer" ? "numeric" : "decimal",
                step: type === "integer" ? 1 : "any",
                min: least ?? undefined,
                max: most ?? undefined,
              }
            : { type: "text", maxLength: MOST_TEXT })}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
