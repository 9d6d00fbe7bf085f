import { Pause, Play } from "lucide-react";
import { useEffect, useState } from "react";
import { useStore } from "../app/store";
import type { Engine } from "../player/engine";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Button } from "../ui/Button";
import { Choice } from "../ui/Choice";
import { Seek } from "../work/Seek";
import styles from "./Card.module.css";
import type { Part } from "./piece";
import { t } from "./strings";
import { IDLE, usePiece } from "./usePiece";

interface Props {
  parts: readonly Part[];
  /** whether it is loaded before anybody asks to hear it */
  open: boolean;
  /** whether it plays as soon as it can */
  plays: boolean;
}

/** Plays parts that run along together, of which one is heard. */
export function Deck({ parts, open, plays }: Props) {
  const [wanted, setWanted] = useState(open || plays);
  const [asked, setAsked] = useState(plays); // to hear it, before it could play
  const [side, setSide] = useState(parts.at(-1)?.label ?? "");
  const { engine, problem } = usePiece(parts, wanted);
  const { phase, playing, error } = useStore(engine?.state ?? IDLE);
  const ready = engine?.source ? engine : null;
  useEffect(() => {
    if (ready) hear(ready, side);
  }, [ready, side]);
  useEffect(() => {
    if (!ready || !asked) return;
    setAsked(false);
    void ready.play();
  }, [ready, asked]);
  const onPress = () => {
    if (ready) return ready.toggle();
    setWanted(true);
    setAsked(true);
  };
  if (problem) return <ProblemPanel code={problem.code} detail={problem.detail} requestId={problem.requestId} />;
  return (
    <div className={styles.deck}>
      {parts.length > 1 ? (
        <Choice
          legend={t("hear.which")}
          value={side}
          choices={parts.map(({ label }) => ({ value: label, label }))}
          onChange={setSide}
        />
      ) : null}
      {phase === "alone" ? (
        <p className={styles.facts}>{t("play.alone")}</p>
      ) : (
        <div className={styles.transport}>
          <Button
            look="main"
            icon={playing ? <Pause aria-hidden="true" /> : <Play aria-hidden="true" />}
            aria-busy={asked || phase === "buffering"}
            onClick={onPress}
          >
            {playing ? t("pause") : t("play")}
          </Button>
          {ready ? <Seek engine={ready} moving={phase === "playing"} /> : null}
        </div>
      )}
      {phase === "failed" ? <p className={styles.facts}>{t("play.failed", { reason: error ?? "" })}</p> : null}
    </div>
  );
}

/** Let one part be heard, as it is. */
function hear(engine: Engine, side: string): void {
  for (const stem of engine.source?.stems ?? []) {
    engine.set(stem, { db: 0, pan: 0, solo: false, mute: stem !== side });
  }
}
