import { t } from "../strings";
import { Button } from "../ui/Button";
import { useStore } from "./store";
import styles from "./UpdateNote.module.css";
import { loadUpdate, updateReady } from "./worker";

/** Says that the service has a newer page. Nothing is reloaded under its reader's hands. */
export function UpdateNote() {
  if (!useStore(updateReady)) return <div />;
  return (
    <div role="status" className={styles.note}>
      <span>{t("update.ready")}</span>
      <Button onClick={loadUpdate}>{t("update.load")}</Button>
    </div>
  );
}
