import type { Job } from "../api";
import { playing } from "../app/playing";
import { useStore } from "../app/store";
import styles from "./AnalysisView.module.css";
import { type Analysis, NO_CHORD, useFound } from "./analysis";
import { factsOf } from "./facts";
import { keyName } from "./keyName";
import { SpanTable } from "./SpanTable";
import { Strip } from "./Strip";
import { t } from "./strings";

/** What an analysis found, with its own timeline. */
export default function AnalysisView({ job }: { job: Job }) {
  const found = useFound(job);
  if (!found) return null;
  return (
    <>
      <Strip found={found} from={0} to={found.duration_seconds} />
      <Found found={found} />
    </>
  );
}

/** Facts as a list, and what lies along time as tables; those lead to the player, if `of` is the job that it plays. */
export function Found({ found, of }: { found: Analysis; of?: string }) {
  const player = useStore(playing);
  const seek = player && player.jobId === of ? (seconds: number) => player.engine.seek(seconds) : undefined;
  const chord = (label: string) => (label === NO_CHORD ? t("chord.none") : keyName(label));
  const facts = factsOf(found);
  return (
    <div className={styles.view}>
      {facts.length === 0 ? <p>{t("unknown")}</p> : null}
      <dl className={styles.facts}>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <SpanTable
        title={t("table.sections")}
        column={t("section")}
        spans={found.sections ?? []}
        name={(label) => label}
        onSeek={seek}
      />
      <SpanTable title={t("table.chords")} column={t("chord")} spans={found.chords ?? []} name={chord} onSeek={seek} />
    </div>
  );
}
