import type { ReactNode } from "react";
import { ConnectionNote } from "../events/ConnectionNote";
import { t } from "../strings";
import { Announcer } from "./Announcer";
import { Brand } from "./Brand";
import { ChatPlace } from "./ChatPlace";
import { drawer } from "./drawer";
import { Nav } from "./Nav";
import styles from "./Shell.module.css";
import { useStore } from "./store";
import { UpdateNote } from "./UpdateNote";
import { useMedia } from "./useMedia";

interface Props {
  children: ReactNode;
  /** whether it shows one thing to who is not signed in */
  bare?: boolean;
  /** whether who is here may have work done by talking */
  talks?: boolean;
}

/** What stands around each screen. Where there is no room for both, the chat's drawer covers the screen. */
export function Shell({ children, bare = false, talks = false }: Props) {
  const open = useStore(drawer) && talks;
  const narrow = useMedia("(width < 75rem)");
  const covered = open && narrow;
  return (
    <div className={styles.shell} data-drawer={open || undefined}>
      <a className={styles.skip} href="#content" inert={covered}>
        {t("nav.skip")}
      </a>
      <header className={styles.header} inert={covered}>
        <div className={styles.inner}>
          <Brand />
          {bare ? null : <Nav />}
        </div>
      </header>
      {bare ? null : <ConnectionNote />}
      <UpdateNote />
      <main id="content" className={styles.main} tabIndex={-1} inert={covered}>
        {children}
      </main>
      {talks ? <ChatPlace /> : null}
      <Announcer />
    </div>
  );
}
