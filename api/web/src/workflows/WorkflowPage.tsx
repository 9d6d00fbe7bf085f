import { FileX } from "lucide-react";
import { useEffect, useRef } from "react";
import { Link } from "wouter";
import { Problem } from "../api";
import { alarm, announce } from "../app/announce";
import { Page } from "../app/Page";
import { moment, span } from "../i18n";
import { percentOf } from "../jobs/progress";
import { ProblemPanel } from "../problems/ProblemPanel";
import { QueryProblem } from "../problems/QueryProblem";
import { Bar } from "../ui/Bar";
import { Card } from "../ui/Card";
import { Disclosure } from "../ui/Disclosure";
import { Empty } from "../ui/Empty";
import { LinkButton } from "../ui/LinkButton";
import { State } from "../ui/State";
import { Decisions } from "./Decisions";
import { Graph } from "./Graph";
import { Outputs } from "./Outputs";
import { StepList } from "./StepList";
import { t } from "./strings";
import { useWorkflow, useWorkflowActions, type Workflow } from "./useWorkflows";
import { WorkflowActions } from "./WorkflowActions";
import styles from "./WorkflowPage.module.css";

/** One workflow: its graph as it moves, what came of it, and why it went as it did. */
export default function WorkflowPage({ id }: { id: string }) {
  const query = useWorkflow(id);
  const workflow = query.data;
  useSpokenWorkflow(workflow);
  if (query.error instanceof Problem && query.error.code === "workflow_not_found") {
    return (
      <Page title={t("gone")}>
        <Empty icon={<FileX />} title={t("gone")}>
          <LinkButton href="/app/recipes">{t("back")}</LinkButton>
        </Empty>
      </Page>
    );
  }
  if (!workflow) {
    return (
      <Page title={t("title")}>
        {query.isError ? (
          <QueryProblem error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <p>{t("loading")}</p>
        )}
      </Page>
    );
  }
  return (
    <Page key={workflow.id} title={workflow.name} actions={<WorkflowActions workflow={workflow} />}>
      <div className={styles.workflow}>
        <Whole workflow={workflow} />
        <Card title={t("graph")}>
          <div className={styles.steps}>
            <Graph steps={workflow.steps} />
            <StepList steps={workflow.steps} />
          </div>
        </Card>
        <Outputs workflow={workflow} />
        <Card>
          <Disclosure title={t("decisions")}>
            <Decisions decisions={workflow.decisions} />
          </Disclosure>
        </Card>
      </div>
    </Page>
  );
}

/** How far all of it is, or why it failed. */
function Whole({ workflow }: { workflow: Workflow }) {
  const { retry } = useWorkflowActions(workflow.id);
  const { name, recipe, state, progress, error, retry_of: before, created_at: made } = workflow;
  const done = t("progress.text", {
    percent: percentOf(progress.fraction),
    ended: progress.ended,
    jobs: progress.jobs,
  });
  const left = progress.eta_seconds;
  const text = typeof left === "number" ? `${done}, ${t("progress.eta", { span: span(left) })}` : done;
  return (
    <Card>
      <div className={styles.whole}>
        <p className={styles.facts}>
          <State state={state} />
          {recipe ? <span>{t("recipe", { recipe })}</span> : null}
          <time dateTime={made}>{moment(made)}</time>
          {before ? <Link href={`/app/workflows/${before}`}>{t("retry_of")}</Link> : null}
        </p>
        <Bar
          value={progress.fraction}
          label={t("progress", { name })}
          text={text}
          look={state === "running" ? "accent" : state === "succeeded" ? "good" : "quiet"}
        />
        <p className={styles.text}>{text}</p>
        {error ? (
          <>
            <p>{t("failed", { step: error.step ?? "" })}</p>
            <ProblemPanel
              code={error.code}
              detail={error.detail}
              requestId={workflow.id}
              actions={{ retry: () => retry.mutate() }}
            />
          </>
        ) : null}
      </div>
    </Card>
  );
}

/** Says each step's end, and the whole's, to who does not see them. Nothing at the first look. */
function useSpokenWorkflow(workflow: Workflow | undefined): void {
  const before = useRef<{ state: string; done: ReadonlySet<string> } | null>(null);
  useEffect(() => {
    if (!workflow) return;
    const { name, state, steps } = workflow;
    const done = new Set(steps.filter((step) => step.state === "succeeded").map((step) => step.id));
    const last = before.current;
    before.current = { state, done };
    if (!last) return;
    const fresh = [...done].filter((id) => !last.done.has(id));
    if (state !== last.state && state !== "running") {
      if (state === "failed") alarm(t("say.failed", { name }));
      else announce(t(`say.${state}`, { name }));
    } else if (fresh.length > 0) announce(t("say.step", { step: fresh.join(", ") }));
  }, [workflow]);
}
