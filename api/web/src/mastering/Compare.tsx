import { useEffect, useState } from "react";
import type { Job } from "../api";
import { useStore } from "../app/store";
import { number } from "../i18n";
import { useJob } from "../jobs/useJobs";
import type { Engine } from "../player/engine";
import { Button } from "../ui/Button";
import { Check } from "../ui/Check";
import { Choice } from "../ui/Choice";
import { Seek } from "../work/Seek";
import styles from "./Compare.module.css";
import { equalGains, type MasterFacts } from "./facts";
import { originalOf, SIDES, type Side } from "./pair";
import { t } from "./strings";
import { hear, useAlone, usePair } from "./usePair";

const FLAT: Record<Side, number> = { original: 0, master: 0 };

interface Props {
  master: Job;
  facts: MasterFacts;
}

/** A master beside its original: both run along together, and one of them is heard. */
export function Compare({ master, facts }: Props) {
  const from = originalOf(master);
  const original = useJob(from?.job_id ?? null);
  if (from && original.data?.files[from.output]) {
    return <Pair master={master} original={original.data} output={from.output} facts={facts} />;
  }
  if (from && original.isPending) return null;
  const file = master.files.master;
  return (
    <>
      <p className={styles.note}>{t("compare.none")}</p>
      {/* biome-ignore lint/a11y/useMediaCaption: a song has no words to write below it */}
      <audio controls preload="metadata" src={file?.url} aria-label={t("compare.master")} className={styles.audio} />
    </>
  );
}

function Pair({ master, original, output, facts }: Props & { original: Job; output: string }) {
  const engine = usePair(master, original, output);
  return engine ? <Deck engine={engine} facts={facts} lossy={!/wav|flac/.test(master.format)} /> : null;
}

function Deck({ engine, facts, lossy }: { engine: Engine; facts: MasterFacts; lossy: boolean }) {
  const { phase, playing, error } = useStore(engine.state);
  const [side, setSide] = useState<Side>("master");
  const [equal, setEqual] = useState(true);
  const gains = equalGains(facts);
  const open = engine.source !== null && phase !== "opening";
  useAlone(engine);
  useEffect(() => {
    if (open) hear(engine, side, equal ? (equalGains(facts) ?? FLAT) : FLAT);
  }, [open, engine, side, equal, facts]);
  if (phase === "alone") return <p className={styles.note}>{t("compare.large")}</p>;
  if (phase === "failed" && !open) return <p className={styles.note}>{t("failed", { reason: error ?? "" })}</p>;
  if (!open) return null;
  return (
    <section className={styles.deck} aria-label={t("compare.title")}>
      <Choice
        legend={t("compare.which")}
        value={side}
        choices={SIDES.map((value) => ({ value, label: t(`compare.${value}`) }))}
        onChange={setSide}
      />
      <div className={styles.transport}>
        <Button look="main" onClick={() => engine.toggle()}>
          {playing ? t("pause") : t("play")}
        </Button>
        <Seek engine={engine} moving={phase === "playing"} />
      </div>
      {gains ? (
        <div>
          <Check checked={equal} onChange={setEqual}>
            {t("compare.equal")}
          </Check>
          <p className={styles.note}>
            {t("compare.gain", { db: number(Math.abs(Math.min(gains.original, gains.master))) })}
          </p>
        </div>
      ) : null}
      {lossy ? <p className={styles.note}>{t("format.lossy")}</p> : null}
      {phase === "failed" ? <p className={styles.note}>{t("failed", { reason: error ?? "" })}</p> : null}
    </section>
  );
}
