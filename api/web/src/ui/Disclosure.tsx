import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import styles from "./Disclosure.module.css";

interface Props {
  title: string;
  children: ReactNode;
  open?: boolean;
}

/** What few need: closed until its title is pressed. */
export function Disclosure({ title, children, open = false }: Props) {
  return (
    <details className={styles.disclosure} open={open}>
      <summary>
        <ChevronRight aria-hidden="true" />
        {title}
      </summary>
      {children}
    </details>
  );
}
