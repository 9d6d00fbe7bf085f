import { Download } from "lucide-react";
import type { Stem } from "../api";
import { bytes, clock, moment, number } from "../i18n";
import { Card } from "../ui/Card";
import { LinkButton } from "../ui/LinkButton";
import styles from "./Files.module.css";
import { t } from "./strings";

interface Props {
  files: Record<string, Stem>;
  name: string;
}

/** Each file with what is known of it, and a link to take it home. */
export function Files({ files, name }: Props) {
  const rows = Object.entries(files);
  const kept = rows[0]?.[1].kept_until;
  if (rows.length === 0) return null;
  return (
    <Card title={t("files.title")}>
      <ul className={styles.files}>
        {rows.map(([key, file]) => (
          <li key={key} className={styles.file}>
            <div className={styles.words}>
              <span className={styles.stem}>{(file.stem ?? key).replaceAll("_", " ")}</span>
              <span className={styles.facts}>{facts(file).join(" · ")}</span>
            </div>
            <LinkButton
              out
              look="quiet"
              href={file.url}
              download={file.filename}
              aria-label={t("files.get", { name: `${name}, ${key}` })}
              icon={<Download aria-hidden="true" />}
            >
              {(file.format ?? t("download")).toUpperCase()}
            </LinkButton>
          </li>
        ))}
      </ul>
      {kept ? <p className={styles.facts}>{t("files.kept", { moment: moment(kept) })}</p> : null}
    </Card>
  );
}

function facts(file: Stem): string[] {
  const said = [bytes(file.bytes)];
  if (file.duration_seconds) said.unshift(clock(file.duration_seconds));
  if (file.silent) said.push(t("download.silent"));
  if (typeof file.loudness_lufs === "number") said.push(t("lufs", { value: number(file.loudness_lufs, 1, 1) }));
  if (typeof file.true_peak_db === "number") said.push(t("dbtp", { value: number(file.true_peak_db, 1, 1) }));
  if (file.clipped_samples) said.push(t("files.clipped", { count: file.clipped_samples }));
  return said;
}
