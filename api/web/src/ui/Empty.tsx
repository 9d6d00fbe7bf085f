import type { ReactNode } from "react";
import styles from "./Empty.module.css";

interface Props {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
}

/** Where there is nothing yet: what belongs here, and how it gets here. */
export function Empty({ icon, title, children }: Props) {
  return (
    <div className={styles.empty}>
      <div className={styles.icon} aria-hidden="true">
        {icon}
      </div>
      <p className={styles.title}>{title}</p>
      {children}
    </div>
  );
}
