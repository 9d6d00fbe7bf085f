import type { ReactNode } from "react";
import styles from "./Card.module.css";

interface Props {
  /** heads the card; without one it is a plain surface */
  title?: string;
  actions?: ReactNode;
  children: ReactNode;
}

export function Card({ title, actions, children }: Props) {
  return (
    <section className={styles.card} aria-label={title}>
      {title ? (
        <header className={styles.head}>
          <h2>{title}</h2>
          {actions}
        </header>
      ) : null}
      {children}
    </section>
  );
}
