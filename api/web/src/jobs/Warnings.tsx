import { TriangleAlert } from "lucide-react";
import type { Job } from "../api";
import { t } from "./strings";
import styles from "./Warnings.module.css";

/** What is wrong with the song although its job could be done, in the api's words. */
export function Warnings({ job }: { job: Job }) {
  if (job.warnings.length === 0) return null;
  return (
    <section className={styles.warnings} aria-label={t("warnings.title")}>
      <TriangleAlert aria-hidden="true" />
      <ul>
        {job.warnings.map((warning) => (
          <li key={warning.code}>{warning.detail}</li>
        ))}
      </ul>
    </section>
  );
}
