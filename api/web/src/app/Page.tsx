import { type ReactNode, useEffect, useRef } from "react";
import styles from "./Page.module.css";

interface Props {
  title: string;
  /** stands beside the title */
  actions?: ReactNode;
  lead?: ReactNode;
  /** the address of a picture that belongs to the title */
  picture?: string | undefined;
  children: ReactNode;
}

let shownBefore = false;

/** One screen: its title goes into the window's, and its heading gets the focus when a link led here. */
export function Page({ title, actions, lead, picture, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (shownBefore) heading.current?.focus();
    shownBefore = true;
  }, []);
  useEffect(() => {
    document.title = title === "stemsvc" ? title : `${title} · stemsvc`;
  }, [title]);
  return (
    <>
      <header className={styles.head}>
        {picture ? <img className={styles.picture} src={picture} alt="" /> : null}
        <div className={styles.words}>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {lead ? <p className={styles.lead}>{lead}</p> : null}
        </div>
        {actions ? <div className={styles.actions}>{actions}</div> : null}
      </header>
      {children}
    </>
  );
}
