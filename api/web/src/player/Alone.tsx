import { useId, useState } from "react";
import styles from "./index.module.css";
import type { Lane } from "./lanes";
import { stemName, t } from "./strings";

/** One stem at a time, for a song whose stems take too much memory and that has no preview. */
export default function Alone({ lanes }: { lanes: readonly Lane[] }) {
  const [stem, setStem] = useState(lanes[0]?.stem ?? "");
  const id = useId();
  const lane = lanes.find((one) => one.stem === stem);
  return (
    <section className={styles.player} aria-label={t("player")}>
      <p>{t("alone.words")}</p>
      <div className={styles.alone}>
        <label htmlFor={id}>{t("alone.stem")}</label>
        <select id={id} value={stem} onChange={(event) => setStem(event.target.value)}>
          {lanes.map((one) => (
            <option key={one.stem} value={one.stem}>
              {stemName(one.stem)}
            </option>
          ))}
        </select>
        {/* biome-ignore lint/a11y/useMediaCaption: a stem of a song has no words to write below it */}
        <audio key={stem} controls preload="metadata" src={lane?.file.url} aria-label={stemName(stem)} />
      </div>
    </section>
  );
}
