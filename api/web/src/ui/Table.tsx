import type { ReactNode } from "react";
import styles from "./Table.module.css";

interface Props {
  /** says what the table has, for who can't see the heading above it */
  label: string;
  head: readonly string[];
  rows: readonly { key: string; cells: readonly ReactNode[] }[];
}

/** A table; on a narrow screen each row is a block, and each cell has its column's name before it. */
export function Table({ label, head, rows }: Props) {
  return (
    // biome-ignore lint/a11y/noRedundantRoles: Safari drops a table's role where its rows are drawn as blocks
    <table className={styles.table} aria-label={label} role="table">
      <thead>
        <tr>
          {head.map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.key}>
            {row.cells.map((cell, place) => (
              <td key={head[place]} data-head={head[place]}>
                {cell}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
