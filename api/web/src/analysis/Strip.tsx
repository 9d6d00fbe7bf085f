import { type PointerEvent, useRef } from "react";
import { useCanvas } from "../ui/useCanvas";
import { useFrames } from "../ui/useFrames";
import { type Analysis, NO_CHORD, spanAt } from "./analysis";
import { drawStrip } from "./drawStrip";
import { keyWords, tempoWords } from "./facts";
import { keyName } from "./keyName";
import styles from "./Strip.module.css";
import { t } from "./strings";

interface Props {
  found: Analysis;
  /** seconds that are drawn */
  from: number;
  to: number;
  /** where the song is; none: nothing plays */
  position?: () => number;
  moving?: boolean;
  onSeek?: (seconds: number) => void;
}

/**
 * Sections, chords and beats along time, and what sounds now. It is a picture: keys and screen readers have the tables,
 * and the player's own slider.
 */
export function Strip({ found, from, to, position, moving = false, onSeek }: Props) {
  const now = useRef<HTMLElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const canvas = useCanvas((element) => drawStrip(element, found, from, to), [found, from, to]);
  useFrames(moving, () => {
    if (!position) return;
    const at = position();
    const chord = spanAt(found.chords ?? [], at)?.label;
    const text = !chord || chord === NO_CHORD ? "–" : keyName(chord);
    if (now.current && now.current.textContent !== text) now.current.textContent = text;
    const share = (at - from) / (to - from);
    if (!head.current) return;
    head.current.hidden = share < 0 || share > 1;
    head.current.style.transform = `translateX(${share * 100}%)`;
  });
  const seek = (event: PointerEvent) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    onSeek?.(from + ((event.clientX - left) / width) * (to - from));
  };
  const said = [keyWords(found), tempoWords(found), found.time_signature].filter(Boolean);
  return (
    <section className={styles.strip} aria-label={t("strip")}>
      <p className={styles.facts}>
        {said.map((words) => (
          <span key={words}>{words}</span>
        ))}
        {position ? (
          <span className={styles.now} aria-hidden="true">
            {t("now")} <b ref={now} />
          </span>
        ) : null}
      </p>
      <div className={styles.time} aria-hidden="true" data-seeks={onSeek ? true : undefined} onPointerDown={seek}>
        <canvas ref={canvas} />
        {position ? <div ref={head} className={styles.head} hidden /> : null}
      </div>
    </section>
  );
}
