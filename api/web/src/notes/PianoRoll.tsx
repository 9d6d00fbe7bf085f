import { type CSSProperties, type PointerEvent, useId, useRef, useState } from "react";
import { playing } from "../app/playing";
import { useStore } from "../app/store";
import { clock, number } from "../i18n";
import type { Engine } from "../player/engine";
import { Button } from "../ui/Button";
import { Check } from "../ui/Check";
import { Disclosure } from "../ui/Disclosure";
import { Table } from "../ui/Table";
import { useCanvas } from "../ui/useCanvas";
import { useFrames } from "../ui/useFrames";
import { Scrolled } from "../work/Scrolled";
import { drawRoll } from "./drawRoll";
import { type StemNotes, soundingIn, type Transcription } from "./notes";
import styles from "./PianoRoll.module.css";
import { t } from "./strings";

const FIRST_SECONDS = 30;
const LEAST_SECONDS = 2;
const MOST_ROWS = 200;

interface Props {
  found: Transcription;
  /** the job whose player moves along */
  of?: string;
}

/** The notes of all stems as a picture, and of the part that it shows as a table. */
export function PianoRoll({ found, of }: Props) {
  const { duration_seconds: duration, stems } = found;
  const [hidden, setHidden] = useState<readonly string[]>([]);
  const [seconds, setSeconds] = useState(Math.min(duration, FIRST_SECONDS));
  const [first, setFirst] = useState(0);
  const id = useId();
  const colours = useRef<HTMLDivElement>(null);
  const shown = stems.filter((stem) => !hidden.includes(stem.name));
  const from = Math.min(first, Math.max(0, duration - seconds));
  const to = from + seconds;
  const canvas = useCanvas(
    (element) =>
      drawRoll(element, found, shown, [from, to], (stem) => {
        const sign = colours.current?.querySelector(`[data-stem="${CSS.escape(stem)}"] i`);
        return sign ? getComputedStyle(sign).color : getComputedStyle(element).color;
      }),
    [found, hidden, from, to],
  );
  const zoom = (times: number) => {
    const length = Math.min(duration, Math.max(LEAST_SECONDS, seconds / times));
    setFirst(Math.max(0, from + (seconds - length) / 2));
    setSeconds(length);
  };
  return (
    <section className={styles.roll} aria-label={t("roll")}>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset draws a frame that no browser lets go of whole */}
      <div className={styles.tools} ref={colours} role="group" aria-label={t("stems")}>
        {stems.map((stem) => (
          <span key={stem.name} data-stem={stem.name} className={styles.stem}>
            <Check
              checked={!hidden.includes(stem.name)}
              onChange={(on) => setHidden(on ? hidden.filter((name) => name !== stem.name) : [...hidden, stem.name])}
            >
              <i
                aria-hidden="true"
                style={{ "--stem": `var(--stem-${stem.name.replace(/\W.*/, "")}, var(--accent))` } as CSSProperties}
              />
              {stem.name}
            </Check>
          </span>
        ))}
        <span className={styles.zoom}>
          <Button look="quiet" disabled={seconds >= duration} onClick={() => zoom(0.5)}>
            {t("zoom.out")}
          </Button>
          <Button look="quiet" disabled={seconds <= LEAST_SECONDS} onClick={() => zoom(2)}>
            {t("zoom.in")}
          </Button>
        </span>
      </div>
      <div className={styles.picture} aria-hidden="true">
        <canvas ref={canvas} />
        <Playhead of={of} from={from} to={to} />
      </div>
      {seconds < duration ? (
        <input
          id={id}
          type="range"
          className={styles.scroll}
          aria-label={t("part")}
          aria-valuetext={t("part.text", { from: clock(from), to: clock(to) })}
          min={0}
          max={duration - seconds}
          step={Math.max(0.1, seconds / 10)}
          value={from}
          onChange={(event) => setFirst(event.target.valueAsNumber)}
        />
      ) : null}
      <p className={styles.ends} aria-hidden="true">
        <span>{clock(from)}</span>
        <span>{clock(to)}</span>
      </p>
      <Disclosure title={t("table")}>
        <NoteTable stems={shown} from={from} to={to} />
      </Disclosure>
    </section>
  );
}

/** Where the page's player is in the song, if it plays this one. */
function Playhead({ of, from, to }: { of: string | undefined; from: number; to: number }) {
  const player = useStore(playing);
  return player && player.jobId === of ? <Line engine={player.engine} from={from} to={to} /> : null;
}

/** The playhead; a click moves it. */
function Line({ engine, from, to }: { engine: Engine; from: number; to: number }) {
  const line = useRef<HTMLDivElement>(null);
  const { phase } = useStore(engine.state);
  useFrames(phase === "playing", () => {
    if (!line.current) return;
    const share = (engine.position - from) / (to - from);
    line.current.hidden = share < 0 || share > 1;
    line.current.style.transform = `translateX(${share * 100}%)`;
  });
  const seek = (event: PointerEvent) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    engine.seek(from + ((event.clientX - left) / width) * (to - from));
  };
  return (
    <div className={styles.seek} onPointerDown={seek}>
      <div ref={line} className={styles.head} />
    </div>
  );
}

function NoteTable({ stems, from, to }: { stems: readonly StemNotes[]; from: number; to: number }) {
  const all = stems
    .flatMap((stem) => soundingIn(stem.notes, from, to).map((note) => ({ stem: stem.name, note })))
    .sort((a, b) => a.note.start - b.note.start);
  if (all.length === 0) return <p>{t("none")}</p>;
  const rows = all.slice(0, MOST_ROWS).map(({ stem, note }, place) => ({
    key: `${place}`,
    cells: [
      `${clock(note.start)}.${String(Math.floor((note.start % 1) * 100)).padStart(2, "0")}`,
      stem,
      note.name,
      t("seconds", { value: number(note.end - note.start, 2) }),
      number(note.velocity),
    ],
  }));
  return (
    <Scrolled label={t("table")}>
      <Table label={t("table")} head={[t("at"), t("stem"), t("note"), t("length"), t("velocity")]} rows={rows} />
      {all.length > MOST_ROWS ? <p>{t("shown", { count: MOST_ROWS, all: all.length })}</p> : null}
    </Scrolled>
  );
}
