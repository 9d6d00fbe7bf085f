import { Button } from "../ui/Button";
import styles from "./Chat.module.css";
import { t } from "./strings";

const TRIES = ["try.1", "try.2", "try.3"] as const;

/** What stands where nothing was said yet: what this is, and what may be said. */
export function Lead({ onSay }: { onSay: (text: string) => void }) {
  return (
    <div className={styles.lead}>
      <p>{t("lead")}</p>
      <p className={styles.soft}>{t("try.title")}</p>
      <ul>
        {TRIES.map((one) => (
          <li key={one}>
            <Button className={styles.try} onClick={() => onSay(t(one))}>
              {t(one)}
            </Button>
          </li>
        ))}
      </ul>
    </div>
  );
}
