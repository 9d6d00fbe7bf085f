import { QueryProblem } from "../problems/QueryProblem";
import { Bar } from "../ui/Bar";
import { Card } from "../ui/Card";
import { Table } from "../ui/Table";
import styles from "./Ops.module.css";
import { t } from "./strings";
import { usePools } from "./useOps";

/** Each pool: what it serves, how much of it is busy, and who waits for it. */
export function Pools() {
  const query = usePools();
  return (
    <Card title={t("pools")}>
      {query.isError ? <QueryProblem error={query.error} onRetry={() => void query.refetch()} /> : null}
      {query.data?.length === 0 ? <p>{t("pools.none")}</p> : null}
      {query.data?.length ? (
        <Table
          label={t("pools")}
          head={[t("pool"), t("serves"), t("device"), t("slots"), t("waiting")]}
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
                  <span key="slots" className={styles.bad}>
                    {t("nobody")}
                  </span>
                ),
                <div key="waiting">
                  {pool.queued}
                  {pool.queued > 0 ? <p className={styles.soft}>{t("lines", { ...pool.waiting })}</p> : null}
                </div>,
              ],
            };
          })}
        />
      ) : null}
    </Card>
  );
}
