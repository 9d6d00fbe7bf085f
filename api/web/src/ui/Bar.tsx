import styles from "./Bar.module.css";

interface Props {
  /** 0 to 1; null: nobody knows */
  value: number | null;
  label: string;
  /** what is read aloud in place of the percentage */
  text: string;
  look?: "accent" | "good" | "quiet";
}

/** A bar that shows a figure and nothing else: it never moves by itself, and without a figure it is hatched. */
export function Bar({ value, label, text, look = "accent" }: Props) {
  const percent = value === null ? null : Math.floor(Math.min(1, Math.max(0, value)) * 1000) / 10;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuetext={text}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent ?? undefined}
      className={`${styles.bar} ${styles[look]}`}
      data-unknown={percent === null || undefined}
    >
      <div className={styles.done} style={{ width: `${percent ?? 100}%` }} />
    </div>
  );
}
