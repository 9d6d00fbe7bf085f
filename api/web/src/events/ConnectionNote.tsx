import { useStore } from "../app/store";
import { t } from "../strings";
import styles from "./ConnectionNote.module.css";
import { connection } from "./connection";

/** Says when the page does not hear of changes as they happen. Nothing while all is well. */
export function ConnectionNote() {
  const now = useStore(connection);
  return (
    <div role="status" className={styles.place}>
      {now === "offline" ? <p className={styles.offline}>{t("offline")}</p> : null}
      {now === "polling" ? <p className={styles.polling}>{t("polling")}</p> : null}
    </div>
  );
}
