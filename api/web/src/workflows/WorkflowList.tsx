import { Link } from "wouter";
import { ago, moment } from "../i18n";
import { percentOf } from "../jobs/progress";
import { said } from "../problems/known";
import { QueryProblem } from "../problems/QueryProblem";
import { Bar } from "../ui/Bar";
import { Button } from "../ui/Button";
import { State } from "../ui/State";
import { t } from "./strings";
import { useWorkflows, type WorkflowSummary } from "./useWorkflows";
import styles from "./WorkflowList.module.css";

/** Workflows, newest first; each leads to its page. */
export function WorkflowList() {
  const list = useWorkflows();
  const found = list.data?.pages.flatMap((page) => page.workflows) ?? [];
  if (list.isError) return <QueryProblem error={list.error} onRetry={() => void list.refetch()} />;
  if (list.data && found.length === 0) return <p>{t("list.none")}</p>;
  return (
    <>
      <ul className={styles.list}>
        {found.map((one) => (
          <Row key={one.id} workflow={one} />
        ))}
      </ul>
      {list.hasNextPage ? (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t("list.more")}
        </Button>
      ) : null}
    </>
  );
}

function Row({ workflow }: { workflow: WorkflowSummary }) {
  const { id, name, recipe, state, progress, created_at: made, error } = workflow;
  const text = t("progress.text", {
    percent: percentOf(progress.fraction),
    ended: progress.ended,
    jobs: progress.jobs,
  });
  return (
    <li className={styles.row}>
      <div className={styles.name}>
        <Link href={`/app/workflows/${id}`}>{name}</Link>
        <p className={styles.facts}>
          {recipe ? `${t("recipe", { recipe })} · ` : ""}
          <time dateTime={made} title={moment(made)}>
            {ago(made)}
          </time>
          {error ? ` · ${said(error.code) ?? error.code}` : ""}
        </p>
      </div>
      <State state={state} />
      {state === "running" ? (
        <div className={styles.progress}>
          <Bar value={progress.fraction} label={t("progress", { name })} text={text} />
          <p className={styles.facts}>{text}</p>
        </div>
      ) : null}
    </li>
  );
}
