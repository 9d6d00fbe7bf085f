import type { ReactNode } from "react";
import { ConnectionNote } from "../events/ConnectionNote";
import { t } from "../strings";
import { Announcer } from "./Announcer";
import { Brand } from "./Brand";
import { Nav } from "./Nav";
import styles from "./Shell.module.css";
import { UpdateNote } from "./UpdateNote";

/** What stands around each screen. */
export function Shell({ children, bare = false }: { children: ReactNode; bare?: boolean }) {
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#content">
        {t("nav.skip")}
      </a>
      <header className={styles.header}>
        <div className={styles.inner}>
          <Brand />
          {bare ? null : <Nav />}
        </div>
      </header>
      {bare ? null : <ConnectionNote />}
      <UpdateNote />
      <main id="content" className={styles.main} tabIndex={-1}>
        {children}
      </main>
      <Announcer />
    </div>
  );
}
