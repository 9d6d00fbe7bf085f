import type { AnchorHTMLAttributes, ReactNode } from "react";
import { Link } from "wouter";
import styles from "./Button.module.css";

interface Props extends AnchorHTMLAttributes<HTMLAnchorElement> {
  href: string;
  look?: "main" | "plain" | "quiet";
  icon?: ReactNode;
  /** whether it leads out of the page: to a file, or to another site */
  out?: boolean;
}

/** A link that looks like a button. */
export function LinkButton({ href, look = "plain", icon, out = false, children, ...rest }: Props) {
  const className = `${styles.button} ${styles[look]}`;
  const inside = (
    <>
      {icon}
      {children}
    </>
  );
  return out ? (
    <a href={href} className={className} {...rest}>
      {inside}
    </a>
  ) : (
    <Link href={href} className={className} {...rest}>
      {inside}
    </Link>
  );
}
