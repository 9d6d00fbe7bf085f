import type { ButtonHTMLAttributes, ReactNode } from "react";
import styles from "./Button.module.css";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** main: what is done next, once a screen; plain: the rest; quiet: in rows; danger: can't be undone */
  look?: "main" | "plain" | "quiet" | "danger";
  icon?: ReactNode;
}

export function Button({ look = "plain", icon, children, className, type = "button", ...rest }: Props) {
  return (
    <button type={type} className={`${styles.button} ${styles[look]} ${className ?? ""}`} {...rest}>
      {icon}
      {children}
    </button>
  );
}

interface IconProps extends Omit<Props, "children" | "icon"> {
  /** what the button does, for who does not see the icon */
  label: string;
  children: ReactNode;
}

export function IconButton({ label, look = "quiet", children, ...rest }: IconProps) {
  return (
    <Button look={look} aria-label={label} title={label} {...rest} className={styles.icon}>
      {children}
    </Button>
  );
}
