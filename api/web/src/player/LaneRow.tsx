import { Download } from "lucide-react";
import { type CSSProperties, type MouseEvent, useId } from "react";
import { useStore } from "../app/store";
import { number } from "../i18n";
import { useParts } from "./context";
import { audible, DB_STEP, LEAST_DB, MOST_DB } from "./gains";
import styles from "./LaneRow.module.css";
import type { Lane } from "./lanes";
import { Meter } from "./Meter";
import { Slider } from "./Slider";
import { spokenDb, spokenPan, stemName, t } from "./strings";
import { Waveform } from "./Waveform";

interface Props {
  lane: Lane;
  /** its place among the stems */
  place: number;
}

/** One stem: what it is, how it is mixed, how it looks. */
export function LaneRow({ lane, place }: Props) {
  const { engine } = useParts();
  const { strips } = useStore(engine.mix);
  const id = useId();
  const { stem, file } = lane;
  const name = stemName(stem);
  const strip = engine.strip(stem);
  const anySolo = Object.values(strips).some((one) => one.solo);
  const silenced = anySolo && !strip.solo && !strip.mute;
  const facts: string[] = [];
  if (file.silent) facts.push(t("silent.file"));
  else if (typeof file.loudness_lufs === "number") facts.push(t("lufs", { value: number(file.loudness_lufs, 1, 1) }));
  if (silenced) facts.push(t("silenced"));
  const solo = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey) engine.soloOnly(stem);
    else engine.set(stem, { solo: !strip.solo });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset draws a frame that no browser lets go of whole
    <div
      role="group"
      aria-labelledby={`${id}-name`}
      aria-describedby={`${id}-facts`}
      className={styles.lane}
      data-silent={!audible(strip, anySolo) || undefined}
      style={{ "--stem": `var(--stem-${stem}, var(--accent))` } as CSSProperties}
    >
      <div className={styles.head}>
        <div className={styles.title}>
          <h3 id={`${id}-name`}>{name}</h3>
          <span id={`${id}-facts`} className={styles.facts}>
            {facts.join(", ")}
          </span>
        </div>
        <div className={styles.keys}>
          <button
            type="button"
            className={styles.mute}
            aria-pressed={strip.mute}
            aria-label={t("mute", { stem: name })}
            title={t("mute", { stem: name })}
            onClick={() => engine.set(stem, { mute: !strip.mute })}
          >
            M
          </button>
          <button
            type="button"
            className={styles.solo}
            aria-pressed={strip.solo}
            aria-label={t("solo", { stem: name })}
            title={`${t("solo", { stem: name })}. ${t("solo.hint")}`}
            onClick={solo}
          >
            S
          </button>
        </div>
        <div className={styles.levels}>
          <Slider
            label={t("volume", { stem: name })}
            value={strip.db}
            min={LEAST_DB}
            max={MOST_DB}
            step={DB_STEP}
            page={3}
            rest={0}
            text={spokenDb(strip.db)}
            onChange={(db) => engine.set(stem, { db })}
            field={t("volume.number", { stem: name })}
            unit="dB"
          />
          <Slider
            label={t("pan", { stem: name })}
            value={strip.pan}
            min={-1}
            max={1}
            step={0.05}
            page={0.25}
            rest={0}
            text={spokenPan(strip.pan)}
            onChange={(pan) => engine.set(stem, { pan: Math.round(pan * 20) / 20 })}
            field={t("pan.number", { stem: name })}
            times={100}
            ends={[t("pan.l"), t("pan.r")]}
          />
        </div>
      </div>
      <Waveform stem={stem} />
      <Meter place={place} />
      <a
        className={styles.download}
        href={file.url}
        download={file.filename}
        aria-label={t("download.stem", { stem: name, format: (file.format ?? "").toUpperCase() })}
        title={t("download")}
      >
        <Download aria-hidden="true" />
      </a>
    </div>
  );
}
