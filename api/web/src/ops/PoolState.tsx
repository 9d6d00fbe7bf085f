import { useEffect, useRef } from "react";
import type { Pool } from "../api";
import { announce } from "../app/announce";
import { moment } from "../i18n";
import { Button } from "../ui/Button";
import styles from "./Ops.module.css";
import { t } from "./strings";

interface Props {
  pool: Pool;
  onDrain: () => void;
  onResume: () => void;
}

/** Whether a pool takes work, in words; while it drains, how many jobs still run. */
export function stateOf(pool: Pool): string {
  if (!pool.drained_at) return t("open");
  return pool.running > 0 ? t("draining", { count: pool.running }) : t("drained");
}

/** A pool's state with the button that changes it. The end of its last job is announced: operators wait for it. */
export function PoolState({ pool, onDrain, onResume }: Props) {
  const { name, drained_at, drained_why, running } = pool;
  const draining = Boolean(drained_at) && running > 0;
  const drained = Boolean(drained_at) && running === 0;
  const drains = useRef(draining);
  useEffect(() => {
    if (drains.current && drained) announce(t("say.pool", { pool: name, state: t("drained") }));
    drains.current = draining;
  }, [draining, drained, name]);
  return (
    <div className={styles.state}>
      <div>
        <p className={drained_at ? styles.warn : undefined}>{stateOf(pool)}</p>
        {drained_at ? (
          <p className={styles.soft}>
            {t(drained_why ? "drained.since.why" : "drained.since", { at: moment(drained_at), why: drained_why ?? "" })}
          </p>
        ) : null}
      </div>
      {/* one button for both, so that it keeps the focus when it becomes the other */}
      <Button
        aria-label={t(drained_at ? "resume.name" : "drain.name", { pool: name })}
        onClick={drained_at ? onResume : onDrain}
      >
        {t(drained_at ? "resume" : "drain")}
      </Button>
    </div>
  );
}
