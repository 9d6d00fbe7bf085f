import type { Schemas } from "../api";
import { locale, number } from "../i18n";
import { QueryProblem } from "../problems/QueryProblem";
import { BarPlot } from "../ui/BarPlot";
import { Card } from "../ui/Card";
import { Disclosure } from "../ui/Disclosure";
import { Table } from "../ui/Table";
import styles from "./Ops.module.css";
import { t } from "./strings";
import { useUsage } from "./useOps";

type Period = Schemas["Period"];

function day(period: Period): string {
  return new Intl.DateTimeFormat(locale(), { day: "numeric", month: "short", timeZone: "UTC" }).format(
    new Date(period.at),
  );
}

function jobsOf(period: Period): number {
  return Object.values(period.jobs as Record<string, number>).reduce((sum, count) => sum + count, 0);
}

/** What the service was used for, day by day, and what that cost at the operator's price. */
export function Usage() {
  const query = useUsage();
  const periods = query.data?.periods ?? [];
  const sum = (of: (period: Period) => number) => periods.reduce((all, period) => all + of(period), 0);
  const money = new Intl.NumberFormat(locale(), { style: "currency", currency: query.data?.currency || "USD" });
  const minutes = sum((period) => period.audio_minutes);
  return (
    <Card title={t("usage")}>
      {query.isError ? <QueryProblem error={query.error} onRetry={() => void query.refetch()} /> : null}
      {query.data && minutes === 0 ? <p>{t("usage.none")}</p> : null}
      {minutes > 0 ? (
        <>
          <dl className={styles.figures}>
            <div>
              <dt>{t("jobs")}</dt>
              <dd>{number(sum(jobsOf))}</dd>
            </div>
            <div>
              <dt>{t("device.seconds")}</dt>
              <dd>{number(sum((period) => period.device_seconds) / 3600, 2)}</dd>
            </div>
            <div>
              <dt>{t("cost")}</dt>
              <dd>{money.format(sum((period) => period.cost))}</dd>
            </div>
          </dl>
          <p className={styles.soft}>
            {t("audio")} · {t("audio.all", { minutes })}
          </p>
          <BarPlot
            label={t("audio")}
            values={periods.map((period) => ({ name: day(period), value: period.audio_minutes }))}
          />
          <Disclosure title={t("table")}>
            <Table
              label={t("usage")}
              head={[t("day"), t("jobs"), t("audio"), t("cost")]}
              rows={periods
                .filter((period) => jobsOf(period) > 0)
                .map((period) => ({
                  key: period.at,
                  cells: [day(period), jobsOf(period), number(period.audio_minutes), money.format(period.cost)],
                }))}
            />
          </Disclosure>
        </>
      ) : null}
    </Card>
  );
}
