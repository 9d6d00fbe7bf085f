import { Link } from "wouter";
import { t } from "../strings";
import styles from "./Brand.module.css";

/** Four stems of one wave. */
export function Brand() {
  return (
    <Link href="/" className={styles.brand} aria-label={t("nav.home")}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <rect x="2" y="9" width="3" height="6" rx="1.5" className={styles.vocals} />
        <rect x="7.67" y="3" width="3" height="18" rx="1.5" className={styles.drums} />
        <rect x="13.33" y="6" width="3" height="12" rx="1.5" className={styles.bass} />
        <rect x="19" y="8" width="3" height="8" rx="1.5" className={styles.other} />
      </svg>
      stemsvc
    </Link>
  );
}
