import { Page } from "../app/Page";
import { Failures } from "./Failures";
import { Health } from "./Health";
import { Keys } from "./Keys";
import styles from "./Ops.module.css";
import { Pools } from "./Pools";
import { t } from "./strings";
import { Usage } from "./Usage";
import { Workers } from "./Workers";

/** The operator's view. */
export function Ops() {
  return (
    <Page title={t("title")} lead={t("lead")}>
      <div className={styles.ops}>
        <div className={styles.pair}>
          <Health />
          <Usage />
        </div>
        <Pools />
        <Workers />
        <Failures />
        <Keys />
        <p className={styles.fine}>{t("more")}</p>
      </div>
    </Page>
  );
}
