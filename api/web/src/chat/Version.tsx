import { CircleX, Dices, Undo2 } from "lucide-react";
import { Link } from "wouter";
import type { Schemas } from "../api";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Button } from "../ui/Button";
import { useWorkflow, useWorkflowActions } from "../workflows/useWorkflows";
import styles from "./Card.module.css";
import type { RowProps } from "./MessageRow";
import { Result } from "./Result";
import { Steps } from "./Steps";
import { t } from "./strings";

/** A version of the piece: how it comes along, then what came of it. */
export function Version(props: RowProps) {
  const { message, conversation, open, fresh, acts, onSay } = props;
  const { workflow_id: id, workflow } = message;
  const version = conversation?.versions.find((one) => one.workflow_id === id);
  const name = version ? t("version.of", version) : (workflow?.name ?? t("result"));
  const isCurrent = version !== undefined && conversation?.version === version.version;
  if (!id) return null;
  return (
    <article className={styles.card} aria-label={name} data-state={workflow?.state}>
      <h3>{name}</h3>
      {workflow ? null : <p className={styles.facts}>{t("gone")}</p>}
      {workflow?.state === "running" ? <Running id={id} name={name} progress={workflow.progress} /> : null}
      {workflow?.state === "succeeded" ? (
        <Result
          id={id}
          open={open}
          plays={fresh && message.actions.includes("context.play")}
          saves={fresh && message.actions.includes("context.download")}
        />
      ) : null}
      {workflow?.state === "canceled" ? <p className={styles.facts}>{t("canceled")}</p> : null}
      {workflow?.state === "failed" && workflow.error ? (
        <ProblemPanel
          code={workflow.error.code}
          detail={workflow.error.detail}
          requestId={id}
          actions={{ retry: acts.regenerate, again: acts.regenerate, change: () => props.onBack("") }}
        />
      ) : null}
      <p className={styles.links}>
        <Link href={`/app/workflows/${id}`}>{t("workflow")}</Link>
      </p>
      {open && isCurrent && workflow?.state !== "running" ? <Again {...props} /> : null}
      {version && !isCurrent && workflow?.state === "succeeded" ? (
        <div className={styles.actions}>
          <Button onClick={() => onSay(t("version.use.say", { version: version.version }))}>{t("version.use")}</Button>
        </div>
      ) : null}
    </article>
  );
}

/** What can be done with the version that is spoken of. */
function Again({ conversation, acts }: RowProps) {
  const back = (conversation?.version ?? 0) > 1;
  const busy = acts.pending !== null;
  return (
    <div className={styles.actions}>
      {back ? (
        <Button icon={<Undo2 aria-hidden="true" />} aria-disabled={busy} onClick={busy ? undefined : acts.undo}>
          {t("undo")}
        </Button>
      ) : null}
      <Button icon={<Dices aria-hidden="true" />} aria-disabled={busy} onClick={busy ? undefined : acts.regenerate}>
        {t("regenerate")}
      </Button>
    </div>
  );
}

function Running({ id, name, progress }: { id: string; name: string; progress: Schemas["WorkflowProgress"] }) {
  const steps = useWorkflow(id).data?.steps ?? [];
  const { cancel } = useWorkflowActions(id);
  return (
    <>
      <p className={styles.facts}>{t("progress.ended", { count: progress.jobs, ended: progress.ended })}</p>
      <Steps steps={steps} name={name} />
      <div className={styles.actions}>
        <Button icon={<CircleX aria-hidden="true" />} disabled={cancel.isPending} onClick={() => cancel.mutate()}>
          {t("cancel")}
        </Button>
      </div>
    </>
  );
}
