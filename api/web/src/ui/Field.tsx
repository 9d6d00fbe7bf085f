import { type ReactNode, useId } from "react";
import styles from "./Field.module.css";

interface Props {
  label: string;
  hint?: ReactNode;
  error?: string | null;
  /** draws the control with these attributes */
  children: (control: {
    id: string;
    "aria-describedby": string | undefined;
    "aria-invalid": boolean;
    className: string;
  }) => ReactNode;
}

/** A control with its label above, and its hint or error below. */
export function Field({ label, hint, error, children }: Props) {
  const id = useId();
  const below = error || hint ? `${id}-below` : undefined;
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": below, "aria-invalid": Boolean(error), className: styles.control ?? "" })}
      {below ? (
        <p id={below} className={error ? styles.error : styles.hint}>
          {error || hint}
        </p>
      ) : null}
    </div>
  );
}
