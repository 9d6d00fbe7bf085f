import { FastForward, LoaderCircle, Pause, Play, Rewind, SkipBack } from "lucide-react";
import { useEffect, useRef } from "react";
import { announce } from "../app/announce";
import { useStore } from "../app/store";
import { clock, number } from "../i18n";
import { IconButton } from "../ui/Button";
import { useFrames } from "../ui/useFrames";
import { useParts } from "./context";
import { DB_STEP, LEAST_DB, MOST_DB } from "./gains";
import { LoopEditor } from "./LoopEditor";
import { Slider } from "./Slider";
import { spokenDb, t } from "./strings";
import styles from "./Transport.module.css";

const JUMP = 5;
const LONG_MS = 1000;

/** Play, jump, loop, tempo, pitch, master. On a phone it stays at the bottom of the screen. */
export function Transport() {
  const { engine } = useParts();
  const { phase, playing } = useStore(engine.state);
  const { masterDb, tempo, pitch } = useStore(engine.mix);
  const waits = phase === "buffering";
  useEffect(() => {
    if (!waits) return;
    const timer = setTimeout(() => announce(t("buffering")), LONG_MS); // a short wait is not worth a word
    return () => clearTimeout(timer);
  }, [waits]);
  return (
    <div className={styles.transport}>
      <div className={styles.bar}>
        <IconButton label={t("start")} onClick={() => engine.seek(0)}>
          <SkipBack aria-hidden="true" />
        </IconButton>
        <IconButton label={t("back")} onClick={() => engine.seek(engine.position - JUMP)}>
          <Rewind aria-hidden="true" />
        </IconButton>
        <button
          type="button"
          className={styles.play}
          aria-label={playing ? t("pause") : t("play")}
          onClick={() => engine.toggle()}
        >
          {playing ? <Pause aria-hidden="true" /> : <Play aria-hidden="true" />}
        </button>
        <IconButton label={t("forward")} onClick={() => engine.seek(engine.position + JUMP)}>
          <FastForward aria-hidden="true" />
        </IconButton>
        <Time />
        {waits ? (
          <span className={styles.state}>
            <LoaderCircle aria-hidden="true" />
            {t("buffering")}
          </span>
        ) : null}
      </div>
      <div className={styles.more}>
        <LoopEditor />
        <div className={styles.figure}>
          <span aria-hidden="true">{t("tempo")}</span>
          <Slider
            label={t("tempo")}
            value={tempo}
            min={0.5}
            max={1.5}
            step={0.05}
            page={0.1}
            rest={1}
            text={t("tempo.text", { value: number(tempo, 2) })}
            onChange={(value) => engine.change({ tempo: Math.round(value * 20) / 20 })}
          />
          <span className={styles.value} aria-hidden="true">{`${number(tempo, 2)}×`}</span>
        </div>
        <div className={styles.figure}>
          <span aria-hidden="true">{t("pitch")}</span>
          <Slider
            label={t("pitch")}
            value={pitch}
            min={-12}
            max={12}
            step={1}
            page={3}
            rest={0}
            text={pitch === 0 ? t("pitch.own") : t("pitch.text", { count: pitch })}
            onChange={(value) => engine.change({ pitch: Math.round(value) })}
          />
          <span className={styles.value} aria-hidden="true">{`${pitch > 0 ? "+" : ""}${number(pitch)}`}</span>
        </div>
        <div className={styles.figure}>
          <span aria-hidden="true">{t("master.short")}</span>
          <Slider
            label={t("master")}
            value={masterDb}
            min={LEAST_DB}
            max={MOST_DB}
            step={DB_STEP}
            page={3}
            rest={0}
            text={spokenDb(masterDb)}
            onChange={(value) => engine.change({ masterDb: value })}
          />
          <span className={styles.value} aria-hidden="true">
            {t("db", { value: number(masterDb) })}
          </span>
        </div>
      </div>
    </div>
  );
}

function Time() {
  const { engine } = useParts();
  const { phase } = useStore(engine.state);
  const text = useRef<HTMLSpanElement>(null);
  useFrames(phase === "playing" || phase === "buffering", () => {
    const now = `${clock(engine.position)}.${Math.floor((engine.position % 1) * 10)}`;
    if (text.current && text.current.textContent !== now) text.current.textContent = now;
  });
  return (
    <span className={styles.time} aria-hidden="true">
      <span ref={text} className={styles.now} /> <span>/ {clock(engine.duration)}</span>
    </span>
  );
}
