import { type PointerEvent, useRef } from "react";
import { useStore } from "../app/store";
import { useCanvas } from "../ui/useCanvas";
import { useFrames } from "../ui/useFrames";
import { useParts } from "./context";
import { drawWave } from "./draw";
import styles from "./Waveform.module.css";

/** One stem's waveform, of what is in view, with the playhead and the loop. A click or a finger seeks. */
export function Waveform({ stem }: { stem: string }) {
  const { engine, view, peaks, gain, drawing } = useParts();
  const shown = useStore(view);
  const { loop, looping } = useStore(engine.mix);
  const { phase } = useStore(engine.state);
  const head = useRef<HTMLDivElement>(null);
  const place = peaks?.head.stems.indexOf(stem) ?? -1;
  const canvas = useCanvas(
    (element) => {
      if (peaks && place >= 0) drawWave(element, peaks, [place], shown, gain);
    },
    [peaks, place, shown, gain, drawing],
  );
  useFrames(phase === "playing" || phase === "buffering", () => {
    const share = (engine.position - shown.from) / (shown.to - shown.from);
    head.current?.style.setProperty("transform", `translateX(${share * 100}cqi)`);
  });
  const seek = (event: PointerEvent) => {
    if (event.button !== 0 && event.type === "pointerdown") return;
    if (event.type === "pointermove" && event.buttons !== 1) return;
    const { left, width } = event.currentTarget.getBoundingClientRect();
    engine.seek(shown.from + ((event.clientX - left) / width) * (shown.to - shown.from));
  };
  const percent = (seconds: number) => (seconds / (shown.to - shown.from)) * 100;
  return (
    <div className={styles.wave} onPointerDown={seek} onPointerMove={seek}>
      <div aria-hidden="true">
        <canvas ref={canvas} data-stem={stem} />
        {loop && looping ? (
          <div
            className={styles.loop}
            style={{
              left: `${percent(loop.start / engine.rate - shown.from)}%`,
              width: `${percent((loop.end - loop.start) / engine.rate)}%`,
            }}
          />
        ) : null}
        <div ref={head} className={styles.playhead} />
      </div>
    </div>
  );
}
