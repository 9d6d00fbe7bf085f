import type { Model, Schemas } from "../api";
import { Card } from "../ui/Card";
import { Check } from "../ui/Check";
import { Choice } from "../ui/Choice";
import { Field } from "../ui/Field";
import { MoreOptions } from "./MoreOptions";
import styles from "./OptionsForm.module.css";
import type { Format, JobOptions } from "./options";
import { t } from "./strings";

interface Props {
  models: readonly Model[];
  presets: readonly Schemas["Preset"][];
  limits: Schemas["Limits"] | undefined;
  value: JobOptions;
  onChange: (value: JobOptions) => void;
}

const FORMATS: readonly Format[] = ["flac", "wav", "mp3", "aac", "opus"];
const LOSSLESS = new Set<Format>(["flac", "wav"]);

/** What to make of the songs. Only the first row is needed; the rest waits behind "More options". */
export function OptionsForm({ models, presets, limits, value, onChange }: Props) {
  const set = (part: Partial<JobOptions>) => onChange({ ...value, ...part });
  const served = presets.filter((one) => one.model !== null);
  const preset = served.find((one) => one.name === value.model);
  const name = preset?.model ?? value.model;
  const model = models.find((one) => (name ? one.name === name : one.default)) ?? models[0];
  const toggleStem = (stem: string, on: boolean) =>
    set({ stems: on ? [...value.stems, stem] : value.stems.filter((one) => one !== stem) });
  const toggleFormat = (format: Format, on: boolean) => {
    const formats = FORMATS.filter((one) => (one === format ? on : value.formats.includes(one)));
    if (formats.length > 0) set({ formats });
  };
  return (
    <Card title={t("options.title")}>
      <div className={styles.form}>
        <Choice
          legend={t("options.split")}
          value={value.split}
          choices={[
            { value: "all", label: t("split.all") },
            ...(model?.stems.includes("vocals") === false ? [] : [{ value: "two" as const, label: t("split.two") }]),
            { value: "chosen", label: t("split.chosen") },
          ]}
          onChange={(split) => set({ split })}
        >
          {value.split === "chosen" ? (
            <div className={styles.checks}>
              {model?.stems.map((stem) => (
                <Check key={stem} checked={value.stems.includes(stem)} onChange={(on) => toggleStem(stem, on)}>
                  {stem}
                </Check>
              ))}
            </div>
          ) : null}
        </Choice>
        <Field label={t("options.model")} hint={preset?.why ?? model?.summary}>
          {(control) => (
            <select
              {...control}
              value={preset?.name ?? model?.name ?? ""}
              onChange={(event) => set({ model: event.target.value, stems: [] })}
            >
              <optgroup label={t("options.models")}>
                {models.map((one) => (
                  <option key={one.name} value={one.name}>
                    {one.default ? t("options.model.default", { name: one.name }) : one.name}
                  </option>
                ))}
              </optgroup>
              {served.length > 0 ? (
                <optgroup label={t("options.presets")}>
                  {served.map((one) => (
                    <option key={one.name} value={one.name}>
                      {one.name}: {one.summary}
                    </option>
                  ))}
                </optgroup>
              ) : null}
            </select>
          )}
        </Field>
        {model?.name === "demo" ? <p className={styles.note}>{t("model.demo")}</p> : null}
        <fieldset className={styles.formats}>
          <legend>{t("options.formats")}</legend>
          <div className={styles.checks}>
            {FORMATS.map((format) => (
              <Check key={format} checked={value.formats.includes(format)} onChange={(on) => toggleFormat(format, on)}>
                {format.toUpperCase()}
              </Check>
            ))}
          </div>
          {value.formats.every((format) => !LOSSLESS.has(format)) ? <p>{t("options.lossy")}</p> : null}
        </fieldset>
        <MoreOptions limits={limits} model={model} value={value} set={set} />
      </div>
    </Card>
  );
}
