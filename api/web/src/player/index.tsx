import { Blend, Keyboard, Play } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Job } from "../api";
import { alarm } from "../app/announce";
import { alone, playing } from "../app/playing";
import { useStore } from "../app/store";
import { Button, IconButton } from "../ui/Button";
import { PlayerContext, type StripPart } from "./context";
import { DownloadMenu } from "./DownloadMenu";
import { loudest } from "./draw";
import { Engine } from "./engine";
import styles from "./index.module.css";
import { type Lane, lanes as lanesOf } from "./lanes";
import { Mixer } from "./Mixer";
import { takeMediaKeys } from "./mediaSession";
import { Peaks } from "./peaks";
import { operate } from "./shortcuts";
import { t } from "./strings";
import { Transport } from "./Transport";
import { Viewport } from "./view";

// what few ask for comes when it is asked for
const Alone = lazy(() => import("./Alone"));
const Mixdown = lazy(() => import("../mixdown/Mixdown"));
const Shortcuts = lazy(() => import("./Shortcuts"));

export { Engine }; // whoever plays something else comes here for it, so that it stays in one file

interface Props {
  job: Job;
  /** whether the reader may have the service mix the stems */
  mixable?: boolean;
  Strip?: StripPart;
}

/** All stems of a job, together: heard, mixed, looped, taken home. */
export default function Player({ job, mixable = false, Strip }: Props) {
  const [tries, setTries] = useState(0);
  // a job that is read again has fresh URLs and the same stems: the engine goes on
  const engine = useEngine(job, tries);
  const lanes = useMemo(() => lanesOf(job), [job]);
  const { phase, error } = useStore(engine.state);
  useEffect(() => {
    if (error) alarm(t("opening.failed", { reason: error }));
  }, [error]);
  if (phase === "opening") return <div className={styles.opening}>{t("opening")}</div>;
  if (phase === "alone") {
    return (
      <Suspense fallback={<div className={styles.opening} />}>
        <Alone lanes={lanes} />
      </Suspense>
    );
  }
  if (!engine.source) {
    return (
      <div className={styles.player}>
        <p>{t("opening.failed", { reason: error ?? "" })}</p>
        <Button onClick={() => setTries(tries + 1)}>{t("retry")}</Button>
      </div>
    );
  }
  return (
    <Deck
      key={`${job.id} ${tries}`}
      job={job}
      engine={engine}
      lanes={inOrder(lanes, engine.source.stems)}
      mixable={mixable}
      Strip={Strip}
    />
  );
}

function useEngine(job: Job, tries: number): Engine {
  const latest = useRef(job);
  latest.current = job;
  const [engine, setEngine] = useState(() => new Engine(job));
  // biome-ignore lint/correctness/useExhaustiveDependencies: another job or another try is another engine
  useEffect(() => {
    const next = new Engine(latest.current);
    setEngine(next);
    void next.open();
    return () => next.close();
  }, [job.id, tries]);
  return engine;
}

/** The lanes of what the source plays, in its order. */
function inOrder(lanes: readonly Lane[], stems: readonly string[]): Lane[] {
  return stems.flatMap((stem) => lanes.find((lane) => lane.stem === stem) ?? []);
}

function usePeaks(job: Job, engine: Engine): { peaks: Peaks | null; drawing: number } {
  const [peaks, setPeaks] = useState<Peaks | null>(null);
  const [drawing, setDrawing] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: fresh URLs are no reason to load them again
  useEffect(() => {
    let gone = false;
    if (!job.peaks) return;
    const again = () => {
      if (!gone) setDrawing((count) => count + 1);
    };
    Peaks.open(job, engine.urls, again).then(
      (found) => {
        if (!gone) setPeaks(found);
      },
      () => undefined, // the song plays without a picture
    );
    return () => {
      gone = true;
    };
  }, [job.id, engine]);
  return { peaks, drawing };
}

interface DeckProps {
  job: Job;
  engine: Engine;
  lanes: Lane[];
  mixable: boolean;
  Strip?: StripPart;
}

function Deck({ job, engine, lanes, mixable, Strip }: DeckProps) {
  const [view] = useState(() => new Viewport(engine.duration));
  const { peaks, drawing } = usePeaks(job, engine);
  const gain = useMemo(() => (peaks ? 0.95 / Math.max(0.05, loudest(peaks)) : 1), [peaks]);
  const { phase, error } = useStore(engine.state);
  const [downloads, setDownloads] = useState(false);
  const [dialog, setDialog] = useState<"help" | "mixdown" | null>(null);
  const onDownload = useCallback(() => setDownloads(true), []);
  const onHelp = useCallback(() => setDialog("help"), []);
  const onClose = useCallback(() => setDialog(null), []);

  useEffect(() => {
    playing.set({ jobId: job.id, engine });
    const end = alone(engine);
    return () => {
      end();
      playing.set(null);
    };
  }, [engine, job.id]);
  useEffect(() => takeMediaKeys(engine, job.filename ?? ""), [engine, job.filename]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (operate(event, { engine, view, lanes, onDownload, onHelp })) event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [engine, view, lanes, onDownload, onHelp]);

  const parts = useMemo(
    () => ({ job, engine, view, lanes, peaks, drawing, gain, Strip }),
    [job, engine, view, lanes, peaks, drawing, gain, Strip],
  );
  return (
    <PlayerContext value={parts}>
      <div className={styles.player}>
        <Mixer>
          <IconButton label={t("shortcuts")} onClick={onHelp}>
            <Keyboard aria-hidden="true" />
          </IconButton>
          {mixable ? (
            <Button icon={<Blend aria-hidden="true" />} onClick={() => setDialog("mixdown")}>
              {t("mixdown")}
            </Button>
          ) : null}
          <DownloadMenu open={downloads} onOpen={setDownloads} />
        </Mixer>
        {phase === "interrupted" ? (
          <Button look="main" onClick={() => void engine.play()} icon={<Play aria-hidden="true" />}>
            {t("resume")}
          </Button>
        ) : null}
        {phase === "failed" ? <p className={styles.failed}>{t("opening.failed", { reason: error ?? "" })}</p> : null}
        <Transport />
      </div>
      <Suspense fallback={null}>
        {dialog === "help" ? <Shortcuts onClose={onClose} /> : null}
        {dialog === "mixdown" ? <Mixdown onClose={onClose} /> : null}
      </Suspense>
    </PlayerContext>
  );
}
