import { said } from "../problems/known";
import { QueryProblem } from "../problems/QueryProblem";
import { Card } from "../ui/Card";
import styles from "./Ops.module.css";
import { t } from "./strings";
import { useHealth } from "./useOps";

const KNOWN = ["ok", "degraded", "unavailable"] as const;

/** Each part of the service, by what its probe says. */
export function Health() {
  const query = useHealth();
  const status = KNOWN.find((one) => one === query.data?.status) ?? "unavailable";
  const parts = Object.entries((query.data?.parts ?? {}) as Record<string, string>);
  return (
    <Card title={t("health")}>
      {query.isError ? <QueryProblem error={query.error} onRetry={() => void query.refetch()} /> : null}
      {query.data ? (
        <>
          <p className={status === "ok" ? styles.good : styles.bad}>{t(`health.${status}`)}</p>
          <dl className={styles.parts}>
            {parts.map(([part, told]) => (
              <div key={part} data-bad={told !== "ok" || undefined}>
                <dt>{part.replaceAll("_", " ")}</dt>
                <dd>{told === "ok" ? t("ok") : (said(told) ?? told)}</dd>
              </div>
            ))}
          </dl>
        </>
      ) : null}
    </Card>
  );
}
