import { ProblemPanel } from "../problems/ProblemPanel";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import styles from "./KeyDialogs.module.css";
import { t } from "./strings";
import { problem, useKeys } from "./useOps";

interface Props {
  id: string;
  name: string;
  onClose: () => void;
}

/** Asks before a key opens nothing any more. */
export function RevokeKey({ id, name, onClose }: Props) {
  const { revoke } = useKeys();
  const failed = problem(revoke.error);
  return (
    <Dialog title={t("keys.revoke.title")} onClose={onClose}>
      <div className={styles.form}>
        <p>{t("keys.revoke.words", { name })}</p>
        {failed ? <ProblemPanel code={failed.code} detail={failed.detail} requestId={failed.requestId} /> : null}
        <div className={styles.actions}>
          <Button look="danger" disabled={revoke.isPending} onClick={() => revoke.mutate(id, { onSuccess: onClose })}>
            {t("keys.revoke.yes")}
          </Button>
          <Button onClick={onClose}>{t("keys.revoke.no")}</Button>
        </div>
      </div>
    </Dialog>
  );
}
