import { useWorkflow } from "../workflows/useWorkflows";
import styles from "./Card.module.css";
import { Deck } from "./Deck";
import { type Part, partsOf } from "./piece";
import { t } from "./strings";
import type { Conversation } from "./useTalk";

interface Props {
  pair: readonly number[];
  conversation: Conversation | undefined;
  open: boolean;
  plays: boolean;
}

/** Two versions that run along together, of which one is heard. */
export function Comparison({ pair, conversation, open, plays }: Props) {
  const ids = pair.map((number) => conversation?.versions.find((one) => one.version === number)?.workflow_id);
  const [one = 0, other = 0] = pair;
  const [first, second] = ids;
  if (!first || !second) return null;
  const name = t("hear.compare", { one, other });
  return (
    <article className={styles.card} aria-label={name}>
      <h3>{name}</h3>
      <Both ids={[first, second]} pair={[one, other]} open={open} plays={plays} />
    </article>
  );
}

function Both({
  ids,
  pair,
  open,
  plays,
}: {
  ids: [string, string];
  pair: [number, number];
  open: boolean;
  plays: boolean;
}) {
  const found = [useWorkflow(ids[0]).data, useWorkflow(ids[1]).data];
  const parts = found.flatMap((workflow, place): Part[] => {
    const [part] = workflow ? partsOf(workflow.id, workflow.outputs) : [];
    return part ? [{ ...part, label: t("version", { version: pair[place] ?? 0 }) }] : [];
  });
  return parts.length === 2 ? <Deck parts={parts} open={open} plays={plays} /> : null;
}
