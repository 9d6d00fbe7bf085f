import { Download } from "lucide-react";
import { useEffect, useRef } from "react";
import { Link } from "wouter";
import { bytes, clock, number } from "../i18n";
import { QueryProblem } from "../problems/QueryProblem";
import { LinkButton } from "../ui/LinkButton";
import { useWorkflow } from "../workflows/useWorkflows";
import styles from "./Card.module.css";
import { Deck } from "./Deck";
import { labelOf, type Output, partsOf } from "./piece";
import { save } from "./save";
import { t } from "./strings";

interface Props {
  id: string;
  open: boolean;
  plays: boolean;
  /** whether its files are saved as soon as they are known */
  saves: boolean;
}

function factsOf(file: Output): string {
  const said = [bytes(file.bytes)];
  if (file.duration_seconds) said.unshift(clock(file.duration_seconds));
  if (typeof file.loudness_lufs === "number") said.push(`${number(file.loudness_lufs)} LUFS`);
  return said.join(" · ");
}

/** What a workflow made: to be heard, and to be taken home. */
export function Result({ id, open, plays, saves }: Props) {
  const query = useWorkflow(id);
  const outputs = query.data?.outputs ?? {};
  const parts = partsOf(id, outputs);
  const saved = useRef(false);
  useEffect(() => {
    if (!saves || saved.current || !query.data) return;
    saved.current = true;
    for (const file of Object.values(query.data.outputs)) save(file.url, file.filename);
  }, [saves, query.data]);
  if (query.isError) return <QueryProblem error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <>
      {parts.length > 0 ? <Deck parts={parts} open={open} plays={plays} /> : null}
      <ul className={styles.files}>
        {Object.entries(outputs).map(([name, file]) => (
          <li key={name}>
            <span className={styles.facts}>
              {labelOf(name, outputs)} · {factsOf(file)} · <Link href={`/app/jobs/${file.job_id}`}>{t("job")}</Link>
            </span>
            <LinkButton
              out
              look="quiet"
              href={file.url}
              download={file.filename}
              aria-label={t("get", { name: labelOf(name, outputs) })}
              icon={<Download aria-hidden="true" />}
            >
              {(file.format ?? file.filename.split(".").at(-1) ?? "").toUpperCase()}
            </LinkButton>
          </li>
        ))}
      </ul>
    </>
  );
}
