import { Ban, CircleAlert, CircleCheck, CircleDashed, Clock, LoaderCircle } from "lucide-react";
import type { JobState } from "../api";
import { t } from "../strings";
import styles from "./State.module.css";

const ICONS: Record<JobState, typeof Ban> = {
  queued: Clock,
  running: LoaderCircle,
  succeeded: CircleCheck,
  failed: CircleAlert,
  canceled: Ban,
  expired: CircleDashed,
};

/** A job's state by sign, word and colour. */
export function State({ state }: { state: JobState }) {
  const Icon = ICONS[state];
  return (
    <span className={`${styles.state} ${styles[state]}`}>
      <Icon aria-hidden="true" />
      {t(`state.${state}`)}
    </span>
  );
}
