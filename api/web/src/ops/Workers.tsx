import { Link } from "wouter";
import { ago, bytes } from "../i18n";
import { Card } from "../ui/Card";
import { Table } from "../ui/Table";
import styles from "./Ops.module.css";
import { t } from "./strings";
import { usePools } from "./useOps";

/** Each live worker once, although several pools may name it, and what it works on. */
export function Workers() {
  const { data } = usePools();
  if (!data) return null;
  const byId = new Map(data.flatMap((pool) => pool.workers.map((worker) => [worker.id, worker])));
  return (
    <Card title={t("workers")}>
      {byId.size === 0 ? <p className={styles.bad}>{t("workers.none")}</p> : null}
      {byId.size > 0 ? (
        <Table
          label={t("workers")}
          head={[t("worker"), t("serves"), t("does"), t("device"), t("memory"), t("since")]}
          rows={[...byId.values()].map((worker) => ({
            key: worker.id,
            cells: [
              <div key="id">
                {worker.id}
                <p className={styles.soft}>{worker.version}</p>
              </div>,
              worker.kinds.join(", "),
              worker.jobs.length > 0 ? (
                <ul key="jobs">
                  {worker.jobs.map((id) => (
                    <li key={id}>
                      <Link href={`/app/jobs/${id}`}>{id.slice(0, 8)}</Link>
                    </li>
                  ))}
                </ul>
              ) : (
                t("idle")
              ),
              worker.device_name,
              typeof worker.free_memory_mb === "number" ? bytes(worker.free_memory_mb * 1e6) : "–",
              ago(worker.started_at),
            ],
          }))}
        />
      ) : null}
    </Card>
  );
}
