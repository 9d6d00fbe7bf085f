import { useRef } from "react";
import { clock, span } from "../i18n";
import type { Engine } from "../player/engine";
import { useFrames } from "../ui/useFrames";
import styles from "./Seek.module.css";
import { t } from "./strings";

/** Where it is. Screen readers are told when it is looked at or moved, not as it ticks. */
export function Seek({ engine, moving }: { engine: Engine; moving: boolean }) {
  const slider = useRef<HTMLInputElement>(null);
  const time = useRef<HTMLSpanElement>(null);
  const { duration } = engine;
  const draw = () => {
    const at = engine.position;
    if (slider.current) slider.current.value = String(at);
    const text = `${clock(at)} / ${clock(duration)}`;
    if (time.current && time.current.textContent !== text) time.current.textContent = text;
  };
  const tell = () => {
    const words = t("position.text", { at: span(engine.position), of: span(duration) });
    slider.current?.setAttribute("aria-valuetext", words);
  };
  useFrames(moving, draw);
  return (
    <>
      <input
        ref={slider}
        type="range"
        className={styles.seek}
        aria-label={t("position")}
        min={0}
        max={duration}
        step="any"
        defaultValue={0}
        onFocus={tell}
        onChange={(event) => {
          engine.seek(event.target.valueAsNumber);
          draw();
          tell();
        }}
      />
      <span ref={time} className={styles.clock} aria-hidden="true" />
    </>
  );
}
