import type { Model, Schemas } from "../api";
import { Check } from "../ui/Check";
import { Disclosure } from "../ui/Disclosure";
import { Field } from "../ui/Field";
import { Select } from "../ui/Select";
import styles from "./OptionsForm.module.css";
import type { JobOptions } from "./options";
import { t } from "./strings";

interface Props {
  limits: Schemas["Limits"] | undefined;
  model: Model | undefined;
  value: JobOptions;
  set: (part: Partial<JobOptions>) => void;
}

const PRIORITIES = ["high", "normal", "low"] as const;

/** A number of the form; null where the field is empty. */
function numberOf(text: string): number | null {
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}

/** Options that few songs need. */
export function MoreOptions({ limits, model, value, set }: Props) {
  const depths = limits?.formats.find((one) => one.name === value.formats[0])?.bit_depths ?? [];
  const highest = PRIORITIES.indexOf((limits?.max_priority as (typeof PRIORITIES)[number]) ?? "normal");
  return (
    <Disclosure title={t("options.more")}>
      <div className={styles.grid}>
        {value.formats.length === 1 && depths.length > 0 ? (
          <Select
            label={t("options.depth")}
            value={value.bitDepth}
            options={["", ...depths]}
            text={(depth) => depth || t("options.depth.default")}
            onChange={(bitDepth) => set({ bitDepth })}
          />
        ) : null}
        <Select
          label={t("options.priority")}
          value={value.priority}
          options={PRIORITIES.filter((_, place) => place >= highest || highest < 0)}
          text={(priority) => t(`priority.${priority}`)}
          onChange={(priority) => set({ priority })}
        />
        <Field label={t("options.shifts")} hint={t("options.shifts.hint")}>
          {(control) => (
            <input
              {...control}
              type="number"
              min={0}
              max={10}
              value={value.shifts}
              onChange={(event) => set({ shifts: Math.max(0, Math.round(numberOf(event.target.value) ?? 0)) })}
            />
          )}
        </Field>
        <Field label={t("options.start")}>
          {(control) => (
            <input
              {...control}
              type="number"
              min={0}
              step="any"
              value={value.start ?? ""}
              onChange={(event) => set({ start: numberOf(event.target.value) })}
            />
          )}
        </Field>
        <Field label={t("options.end")} hint={t("options.end.hint")}>
          {(control) => (
            <input
              {...control}
              type="number"
              min={0}
              step="any"
              value={value.end ?? ""}
              onChange={(event) => set({ end: numberOf(event.target.value) })}
            />
          )}
        </Field>
        <div className={styles.wide}>
          <Check checked={value.residual} onChange={(residual) => set({ residual })}>
            {t("options.residual")}
          </Check>
        </div>
        {model ? (
          <p className={`${styles.wide} ${styles.small}`}>
            {t("model.licence", { licence: model.licence })}
            {model.licence_doubt ? ` (${model.licence_doubt})` : ""}
          </p>
        ) : null}
      </div>
    </Disclosure>
  );
}
