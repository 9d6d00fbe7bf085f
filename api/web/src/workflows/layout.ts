/** Where the steps of a workflow stand: in columns from left to right, each right of what it needs. */

import type { Schemas } from "../api";

type Step = Schemas["WorkflowStep"];
export const SOURCE = "source";

export interface Node {
  id: string;
  /** from 0 */
  column: number;
  /** from 0; each column is in the middle, so that it may be a half */
  row: number;
}

export interface Edge {
  from: string;
  to: string;
}

export interface Layout {
  nodes: readonly Node[];
  edges: readonly Edge[];
  columns: number;
  rows: number;
}

/** The steps that must end before a step, and `source` where it works on that. */
export function needsOf(step: Step): string[] {
  const refs = Object.values(step.inputs as Record<string, unknown>).flat();
  const needs = new Set([...(refs.includes(SOURCE) ? [SOURCE] : []), ...step.needs]);
  return needs.size > 0 ? [...needs] : [SOURCE];
}

/** Columns by the longest way from the source; within a column the order of the steps. A circle can't be drawn. */
export function layoutOf(steps: readonly Step[]): Layout {
  const by = new Map(steps.map((step) => [step.id, step]));
  const columns = new Map<string, number>([[SOURCE, 0]]);
  const column = (id: string, below: ReadonlySet<string>): number => {
    const known = columns.get(id);
    const step = by.get(id);
    if (known !== undefined) return known;
    if (!step || below.has(id)) return 0;
    const path = new Set([...below, id]);
    const found = 1 + Math.max(0, ...needsOf(step).map((need) => column(need, path)));
    columns.set(id, found);
    return found;
  };
  const used = new Map<number, number>();
  const nodes = [SOURCE, ...steps.map((step) => step.id)].map((id): Node => {
    const at = column(id, new Set());
    const row = used.get(at) ?? 0;
    used.set(at, row + 1);
    return { id, column: at, row };
  });
  const edges = steps.flatMap((step) =>
    needsOf(step)
      .filter((need) => need === SOURCE || by.has(need))
      .map((from) => ({ from, to: step.id })),
  );
  const rows = Math.max(...used.values());
  const middle = (node: Node) => ({ ...node, row: node.row + (rows - (used.get(node.column) ?? 0)) / 2 });
  return { nodes: nodes.map(middle), edges, columns: Math.max(...used.keys()) + 1, rows };
}
