import { clock } from "../i18n";
import { Button } from "../ui/Button";
import { Disclosure } from "../ui/Disclosure";
import { Table } from "../ui/Table";
import { Scrolled } from "../work/Scrolled";
import styles from "./AnalysisView.module.css";
import type { Span } from "./analysis";
import { t } from "./strings";

const MOST = 400;
const at = (seconds: number) => `${clock(seconds)}.${Math.floor((seconds % 1) * 10)}`;

interface Props {
  title: string;
  column: string;
  spans: readonly Span[];
  name: (label: string) => string;
  onSeek?: (seconds: number) => void;
}

/** Spans of time as a table, for keys and screen readers. */
export function SpanTable({ title, column, spans, name, onSeek }: Props) {
  if (spans.length === 0) return null;
  const rows = spans.slice(0, MOST).map((span, place) => ({
    key: `${place}`,
    cells: [
      onSeek ? (
        <Button look="quiet" key="go" aria-label={t("go", { at: at(span.start) })} onClick={() => onSeek(span.start)}>
          {at(span.start)}
        </Button>
      ) : (
        at(span.start)
      ),
      at(span.end),
      name(span.label),
    ],
  }));
  return (
    <Disclosure title={title}>
      <Scrolled label={title}>
        <Table label={title} head={[t("from"), t("until"), column]} rows={rows} />
        {spans.length > MOST ? <p className={styles.note}>{t("shown", { count: MOST })}</p> : null}
      </Scrolled>
    </Disclosure>
  );
}
