import { Link, useRoute } from "wouter";
import { useSession, wantsToSignIn } from "../session/session";
import { t } from "../strings";
import { closeDrawer, drawer, OPENER, openDrawer } from "./drawer";
import styles from "./Nav.module.css";
import { useStore } from "./store";

function NavLink({ href, path = href, children }: { href: string; path?: string; children: string }) {
  const [here] = useRoute(path);
  return (
    <Link href={href} className={styles.link} aria-current={here ? "page" : undefined}>
      {children}
    </Link>
  );
}

/** The ways to the other screens; Operations stands there for admins alone. */
export function Nav() {
  const { admin, session, locked, may } = useSession();
  const open = useStore(drawer);
  if (locked) return null;
  return (
    <nav className={styles.nav} aria-label={t("nav.main")}>
      <NavLink href="/">{t("nav.studio")}</NavLink>
      <NavLink href="/app/jobs" path="/app/jobs/:id?">
        {t("nav.jobs")}
      </NavLink>
      <NavLink href="/app/recipes">{t("nav.recipes")}</NavLink>
      {admin ? <NavLink href="/app/ops">{t("nav.ops")}</NavLink> : null}
      <NavLink href="/app/settings">{t("nav.settings")}</NavLink>
      {may("submit") ? (
        <button
          type="button"
          id={OPENER}
          className={styles.link}
          aria-expanded={open}
          aria-keyshortcuts="C"
          onClick={open ? closeDrawer : openDrawer}
        >
          {t("nav.chat")}
        </button>
      ) : null}
      {session && !session.open && !session.signed_in ? (
        <button type="button" className={styles.link} onClick={() => wantsToSignIn.set(true)}>
          {t("nav.signin")}
        </button>
      ) : null}
    </nav>
  );
}
