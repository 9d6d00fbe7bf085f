import { CircleX, RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { Problem } from "../api";
import { announce } from "../app/announce";
import dialog from "../jobs/Dialogs.module.css";
import { ProblemPanel } from "../problems/ProblemPanel";
import { useSession } from "../session/session";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { t } from "./strings";
import { useWorkflowActions, type Workflow } from "./useWorkflows";

/** What can be done with a workflow in its state, by who is here. */
export function WorkflowActions({ workflow }: { workflow: Workflow }) {
  const { id, name, state } = workflow;
  const [asks, setAsks] = useState(false);
  const [, navigate] = useLocation();
  const { may } = useSession();
  const { cancel, retry, erase } = useWorkflowActions(id);
  const failed = [cancel.error, retry.error].find((error) => error instanceof Problem);
  if (!may("submit")) return null;
  const gone = () => {
    announce(t("deleted", { name }));
    navigate("/app/recipes");
  };
  return (
    <>
      {state === "running" ? (
        <Button
          icon={<CircleX aria-hidden="true" />}
          disabled={cancel.isPending}
          onClick={() => cancel.mutate(undefined, { onSuccess: () => announce(t("canceled")) })}
        >
          {t("cancel")}
        </Button>
      ) : null}
      {state === "failed" || state === "canceled" ? (
        <Button
          icon={<RotateCcw aria-hidden="true" />}
          disabled={retry.isPending}
          onClick={() => retry.mutate(undefined, { onSuccess: (next) => navigate(`/app/workflows/${next.id}`) })}
        >
          {t("retry")}
        </Button>
      ) : null}
      <Button icon={<Trash2 aria-hidden="true" />} onClick={() => setAsks(true)}>
        {t("delete")}
      </Button>
      {asks ? (
        <Dialog title={t("delete.title")} onClose={() => setAsks(false)}>
          <div className={dialog.body}>
            <p>{t("delete.words", { name })}</p>
            {erase.error instanceof Problem ? (
              <ProblemPanel code={erase.error.code} detail={erase.error.detail} requestId={erase.error.requestId} />
            ) : null}
            <div className={dialog.actions}>
              <Button
                look="danger"
                disabled={erase.isPending}
                onClick={() => erase.mutate(undefined, { onSuccess: gone })}
              >
                {t("delete.yes")}
              </Button>
              <Button onClick={() => setAsks(false)}>{t("delete.no")}</Button>
            </div>
          </div>
        </Dialog>
      ) : null}
      {failed ? <ProblemPanel code={failed.code} detail={failed.detail} requestId={failed.requestId} /> : null}
    </>
  );
}
