import { Download } from "lucide-react";
import { Link } from "wouter";
import { bytes, clock } from "../i18n";
import { Card } from "../ui/Card";
import { LinkButton } from "../ui/LinkButton";
import styles from "./Outputs.module.css";
import { t } from "./strings";
import type { Workflow } from "./useWorkflows";

/** The files that were wanted, as far as they are there. */
export function Outputs({ workflow }: { workflow: Workflow }) {
  const files = Object.entries(workflow.outputs);
  return (
    <Card title={t("outputs")}>
      {files.length === 0 ? <p className={styles.facts}>{t("outputs.none")}</p> : null}
      <ul>
        {files.map(([name, file]) => (
          <li key={name} className={styles.file}>
            <div className={styles.words}>
              <span className={styles.name}>{name}</span>
              <span className={styles.facts}>
                {[file.duration_seconds ? clock(file.duration_seconds) : "", bytes(file.bytes)]
                  .filter(Boolean)
                  .join(" · ")}{" "}
                · <Link href={`/app/jobs/${file.job_id}`}>{t("outputs.job")}</Link>
              </span>
            </div>
            <LinkButton
              out
              look="quiet"
              href={file.url}
              download={file.filename}
              aria-label={t("outputs.get", { name })}
              icon={<Download aria-hidden="true" />}
            >
              {(file.format ?? file.filename.split(".").at(-1) ?? "").toUpperCase()}
            </LinkButton>
          </li>
        ))}
      </ul>
    </Card>
  );
}
