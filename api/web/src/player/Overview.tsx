import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import { useStore } from "../app/store";
import { useCanvas } from "../ui/useCanvas";
import { useFrames } from "../ui/useFrames";
import { useParts } from "./context";
import { drawWave } from "./draw";
import styles from "./Overview.module.css";
import { spoken, t } from "./strings";

const DRAG_PIXELS = 5;
const STEP = 5;
const FINE_STEP = 1;
const PAGE = 30;

/**
 * The whole song. A click seeks, a drag marks the loop; with a finger it moves along.
 * The slider over it is for keys and screen readers: it is told the position only when it is looked at or moved.
 */
export function Overview() {
  const { engine, peaks, gain, drawing, view } = useParts();
  const shown = useStore(view);
  const { loop, looping, strips } = useStore(engine.mix);
  const { phase } = useStore(engine.state);
  const box = useRef<HTMLDivElement>(null);
  const played = useRef<HTMLDivElement>(null);
  const slider = useRef<HTMLInputElement>(null);
  const drag = useRef<{ at: number; x: number; moved: boolean } | null>(null);
  const { duration } = engine;

  const canvas = useCanvas(
    (element) => {
      const all = peaks?.head.stems.map((_, place) => place) ?? [];
      const sounding = all.filter((place) => !strips[peaks?.head.stems[place] ?? ""]?.mute);
      if (peaks) drawWave(element, peaks, sounding.length ? sounding : all, { from: 0, to: duration }, gain);
    },
    [peaks, gain, drawing, strips],
  );
  useFrames(phase === "playing", () => {
    played.current?.style.setProperty("transform", `scaleX(${engine.position / duration})`);
  });

  const at = (event: PointerEvent) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * duration;
  };
  const tell = () => {
    const { current } = slider;
    if (!current) return;
    current.value = String(engine.position);
    current.setAttribute("aria-valuetext", t("seek.text", { at: spoken(engine.position), of: spoken(duration) }));
  };
  const seek = (seconds: number) => {
    engine.seek(seconds);
    played.current?.style.setProperty("transform", `scaleX(${engine.position / duration})`);
    tell();
  };

  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { at: at(event), x: event.clientX, moved: false };
    if (event.pointerType !== "mouse") seek(at(event));
  };
  const onPointerMove = (event: PointerEvent) => {
    const { current } = drag;
    if (!current) return;
    if (event.pointerType !== "mouse") {
      seek(at(event));
      return;
    }
    current.moved ||= Math.abs(event.clientX - current.x) >= DRAG_PIXELS;
    if (current.moved) engine.setLoop(Math.min(current.at, at(event)), Math.max(current.at, at(event)));
  };
  const onPointerUp = (event: PointerEvent) => {
    const { current } = drag;
    drag.current = null;
    if (current && !current.moved && event.pointerType === "mouse") seek(at(event));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.shiftKey ? FINE_STEP : STEP;
    const to = {
      ArrowLeft: engine.position - step,
      ArrowDown: engine.position - step,
      ArrowRight: engine.position + step,
      ArrowUp: engine.position + step,
      PageDown: engine.position - PAGE,
      PageUp: engine.position + PAGE,
      Home: 0,
      End: duration,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    seek(to);
  };

  const percent = (seconds: number) => `${(seconds / duration) * 100}%`;
  return (
    <div
      ref={box}
      className={styles.overview}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => {
        drag.current = null;
      }}
    >
      <div aria-hidden="true">
        <canvas ref={canvas} className={styles.wave} />
        <div ref={played} className={styles.played} />
        {loop ? (
          <div
            className={styles.loop}
            data-on={looping || undefined}
            style={{ left: percent(loop.start / engine.rate), width: percent((loop.end - loop.start) / engine.rate) }}
          />
        ) : null}
        {view.zoomed ? (
          <div className={styles.view} style={{ left: percent(shown.from), width: percent(shown.to - shown.from) }} />
        ) : null}
      </div>
      <input
        ref={slider}
        type="range"
        className={styles.seek}
        aria-label={t("seek")}
        aria-valuetext={t("seek.text", { at: spoken(0), of: spoken(duration) })}
        min={0}
        max={duration}
        step="any"
        defaultValue={0}
        onFocus={tell}
        onKeyDown={onKeyDown}
        onChange={(event) => seek(event.target.valueAsNumber)}
      />
    </div>
  );
}
