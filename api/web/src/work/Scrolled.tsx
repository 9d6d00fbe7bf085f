import type { ReactNode } from "react";
import styles from "./Scrolled.module.css";

/** What is larger than its place: keys scroll it, too. */
export function Scrolled({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section className={styles.scrolled} tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
