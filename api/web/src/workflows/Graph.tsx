import type { Schemas } from "../api";
import { Scrolled } from "../work/Scrolled";
import styles from "./Graph.module.css";
import { layoutOf, type Node, SOURCE } from "./layout";
import { fractionOf } from "./steps";
import { stepWords, t } from "./strings";

type Step = Schemas["WorkflowStep"];

const WIDTH = 168;
const HEIGHT = 64;
const GAP_X = 56;
const GAP_Y = 24;
const EDGE = 2; // room for the outline of what stands at the edge
const SIGNS: Record<string, string> = { succeeded: "✓", failed: "!", canceled: "×", running: "▸", left_out: "–" };
const LIVE = new Set(["queued", "running", "waiting_for_inputs"]);

const left = (node: Node) => EDGE + node.column * (WIDTH + GAP_X);
const top = (node: Node) => EDGE + node.row * (HEIGHT + GAP_Y);

/** The steps as boxes, with arrows from what each needs. The list beside it has the same in words. */
export function Graph({ steps }: { steps: readonly Step[] }) {
  const { nodes, edges, columns, rows } = layoutOf(steps);
  const at = new Map(nodes.map((node) => [node.id, node]));
  const by = new Map(steps.map((step) => [step.id, step]));
  const wide = columns * WIDTH + (columns - 1) * GAP_X + 2 * EDGE;
  const tall = rows * HEIGHT + (rows - 1) * GAP_Y + 2 * EDGE;
  return (
    <Scrolled label={t("graph.label")}>
      <svg
        viewBox={`0 0 ${wide} ${tall}`}
        style={{ width: `${wide / 16}rem` }}
        className={styles.graph}
        aria-hidden="true"
      >
        {edges.map(({ from, to }) => {
          const [a, b] = [at.get(from), at.get(to)];
          return a && b ? <Arrow key={`${from} ${to}`} from={a} to={b} /> : null;
        })}
        {nodes.map((node) => (
          <Box key={node.id} node={node} step={by.get(node.id)} />
        ))}
      </svg>
    </Scrolled>
  );
}

function Arrow({ from, to }: { from: Node; to: Node }) {
  const [x1, y1] = [left(from) + WIDTH, top(from) + HEIGHT / 2];
  const [x2, y2] = [left(to), top(to) + HEIGHT / 2];
  const bend = Math.max(GAP_X / 2, (x2 - x1) / 2);
  return (
    <g className={styles.arrow}>
      <path d={`M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 4} ${y2}`} />
      <path d={`M${x2 - 9} ${y2 - 5} L${x2 - 1} ${y2} L${x2 - 9} ${y2 + 5} Z`} className={styles.tip} />
    </g>
  );
}

function Box({ node, step }: { node: Node; step: Step | undefined }) {
  const [x, y] = [left(node), top(node)];
  const fraction = step ? fractionOf(step) : null;
  const name = node.id === SOURCE ? t("source") : node.id;
  return (
    <g className={styles.box} data-state={step?.state ?? "source"}>
      <rect x={x} y={y} width={WIDTH} height={HEIGHT} rx="10" className={styles.frame} />
      <text x={x + 14} y={y + (step ? 26 : 38)} className={styles.name}>
        {short(name)}
      </text>
      {step ? (
        <text x={x + 14} y={y + 45} className={styles.words}>
          {`${SIGNS[step.state] ?? "·"} ${short(step.do === node.id ? stepWords(step.state) : `${step.do}: ${stepWords(step.state)}`)}`}
        </text>
      ) : null}
      {step && LIVE.has(step.state) ? (
        <>
          <rect x={x + 14} y={y + HEIGHT - 11} width={WIDTH - 28} height="4" rx="2" className={styles.rail} />
          <rect
            x={x + 14}
            y={y + HEIGHT - 11}
            width={(WIDTH - 28) * (fraction ?? 0)}
            height="4"
            rx="2"
            className={styles.done}
          />
        </>
      ) : null}
    </g>
  );
}

const MOST_LETTERS = 22;

function short(text: string): string {
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
}
