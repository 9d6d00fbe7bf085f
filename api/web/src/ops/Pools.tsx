import { useState } from "react";
import { alarm, announce } from "../app/announce";
import { QueryProblem } from "../problems/QueryProblem";
import { Bar } from "../ui/Bar";
import { Card } from "../ui/Card";
import { Table } from "../ui/Table";
import { DrainPool } from "./DrainPool";
import styles from "./Ops.module.css";
import { PoolState, stateOf } from "./PoolState";
import { t } from "./strings";
import { useDraining, usePools } from "./useOps";

/** Each pool: what it serves, whether it takes work, how much of it is busy, and who waits for it. */
export function Pools() {
  const query = usePools();
  const { resume } = useDraining();
  const [draining, setDraining] = useState<string | null>(null);
  const again = (name: string) =>
    resume.mutate(name, {
      onSuccess: (pool) => announce(t("say.pool", { pool: name, state: stateOf(pool) })),
      onError: () => alarm(t("say.resume.failed", { pool: name })),
    });
  return (
    <Card title={t("pools")}>
      {query.isError ? <QueryProblem error={query.error} onRetry={() => void query.refetch()} /> : null}
      {resume.isError ? <QueryProblem error={resume.error} onRetry={() => again(resume.variables)} /> : null}
      {query.data?.length === 0 ? <p>{t("pools.none")}</p> : null}
      {query.data?.length ? (
        <Table
          label={t("pools")}
          head={[t("pool"), t("serves"), t("device"), t("slots"), t("waiting"), t("state")]}
          rows={query.data.map((pool) => {
            const busy = t("busy", { running: pool.running, slots: pool.slots });
            return {
              key: pool.name,
              cells: [
                <strong key="name">{pool.name}</strong>,
                (pool.models.length > 0 ? pool.models : pool.kinds).join(", ") || "–",
                pool.device,
                pool.slots > 0 ? (
                  <div key="slots">
                    {busy}
                    <Bar
                      value={pool.running / pool.slots}
                      label={`${pool.name}: ${t("slots")}`}
                      text={busy}
                      look="good"
                    />
                  </div>
                ) : (
                  <span key="slots" className={pool.drained_at ? styles.soft : styles.bad}>
                    {t("nobody")}
                  </span>
                ),
                <div key="waiting">
                  {pool.queued}
                  {pool.queued > 0 ? <p className={styles.soft}>{t("lines", { ...pool.waiting })}</p> : null}
                </div>,
                <PoolState
                  key="state"
                  pool={pool}
                  onDrain={() => setDraining(pool.name)}
                  onResume={() => again(pool.name)}
                />,
              ],
            };
          })}
        />
      ) : null}
      {draining ? <DrainPool name={draining} onClose={() => setDraining(null)} /> : null}
    </Card>
  );
}
