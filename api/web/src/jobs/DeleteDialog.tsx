import { useLocation } from "wouter";
import { Problem } from "../api";
import { announce } from "../app/announce";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import styles from "./Dialogs.module.css";
import { t } from "./strings";
import { useJobActions } from "./useJobs";

interface Props {
  id: string;
  name: string;
  onClose: () => void;
}

/** Asks before a job is erased for good. */
export function DeleteDialog({ id, name, onClose }: Props) {
  const [, navigate] = useLocation();
  const { erase } = useJobActions(id);
  const go = () =>
    erase.mutate(undefined, {
      onSuccess: () => {
        announce(t("deleted", { name }));
        onClose();
        navigate("/app/jobs");
      },
    });
  return (
    <Dialog title={t("delete.title")} onClose={onClose}>
      <div className={styles.body}>
        <p>{t("delete.words", { name })}</p>
        {erase.error instanceof Problem ? (
          <ProblemPanel code={erase.error.code} detail={erase.error.detail} requestId={erase.error.requestId} />
        ) : null}
        <div className={styles.actions}>
          <Button look="danger" disabled={erase.isPending} onClick={go}>
            {t("delete.yes")}
          </Button>
          <Button onClick={onClose}>{t("delete.no")}</Button>
        </div>
      </div>
    </Dialog>
  );
}
