import type { Job, JobState } from "../api";
import { moment } from "../i18n";
import { said } from "../problems/known";
import { t as shared } from "../strings";
import { t } from "./strings";
import styles from "./Timeline.module.css";

const STATES: ReadonlySet<string> = new Set(["queued", "running", "succeeded", "failed", "canceled", "expired"]);

/** Each move of the job, oldest first. */
export function Timeline({ job }: { job: Job }) {
  return (
    <ol className={styles.timeline}>
      {job.timeline.map((move) => (
        <li key={`${move.at} ${move.to}`} data-state={move.to}>
          <p className={styles.to}>{title(move)}</p>
          <p className={styles.facts}>
            <time dateTime={move.at}>{moment(move.at)}</time>
            {move.worker ? ` · ${t("timeline.worker", { worker: move.worker })}` : ""}
          </p>
          {move.why ? <p className={styles.facts}>{why(move.why)}</p> : null}
        </li>
      ))}
    </ol>
  );
}

function title({ from, to }: Job["timeline"][number]): string {
  if (!from) return t("timeline.made");
  if (from === "running" && to === "queued") return t("timeline.back");
  return STATES.has(to) ? shared(`state.${to as JobState}`) : to;
}

/** A reason in the reader's words where it begins with a code, else as the api has it. */
function why(reason: string): string {
  const code = /^[a-z_]+/.exec(reason)?.[0] ?? "";
  return said(code) ?? reason;
}
