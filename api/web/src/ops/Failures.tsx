import { Link } from "wouter";
import { ago } from "../i18n";
import { said } from "../problems/known";
import { QueryProblem } from "../problems/QueryProblem";
import { Card } from "../ui/Card";
import { Table } from "../ui/Table";
import styles from "./Ops.module.css";
import { t } from "./strings";
import { useFailures } from "./useOps";

/** What failed and how often, the most frequent first. */
export function Failures() {
  const query = useFailures();
  const most = Math.max(1, ...(query.data ?? []).map((failure) => failure.count));
  return (
    <Card title={t("failures")}>
      {query.isError ? <QueryProblem error={query.error} onRetry={() => void query.refetch()} /> : null}
      {query.data?.length === 0 ? <p>{t("failures.none")}</p> : null}
      {query.data?.length ? (
        <Table
          label={t("failures")}
          head={[t("what"), t("count"), t("last")]}
          rows={query.data.map((failure) => ({
            key: `${failure.kind} ${failure.code}`,
            cells: [
              <div key="what">
                {said(failure.code) ?? failure.code}
                <p className={styles.soft}>
                  <code>{failure.code}</code> · {failure.detail}
                </p>
              </div>,
              <div key="count" className={styles.count}>
                {failure.count}
                <div
                  aria-hidden="true"
                  className={styles.share}
                  style={{ width: `${(failure.count / most) * 100}%` }}
                />
              </div>,
              <Link key="last" href={`/app/jobs/${failure.last_job}`}>
                {ago(failure.last_at)}
              </Link>,
            ],
          }))}
        />
      ) : null}
    </Card>
  );
}
