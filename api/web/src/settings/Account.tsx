import { ago } from "../i18n";
import { useSession, useSigning, wantsToSignIn } from "../session/session";
import { Button } from "../ui/Button";
import { Card } from "../ui/Card";
import styles from "./Settings.module.css";
import { t } from "./strings";

/** Who is here, and the way out. */
export function Account() {
  const { session } = useSession();
  const { signOut } = useSigning();
  if (!session) return null;
  return (
    <Card title={t("account")}>
      {session.signed_in ? (
        <>
          <p>{t("in", { name: session.key_name ?? "" })}</p>
          <p>{t("scopes", { scopes: session.scopes.join(", ") })}</p>
          {session.expires_at ? <p>{t("until", { moment: ago(session.expires_at) })}</p> : null}
          <div className={styles.actions}>
            <Button onClick={() => void signOut()}>{t("out")}</Button>
          </div>
        </>
      ) : (
        <>
          <p>{t("open")}</p>
          <div className={styles.actions}>
            <Button onClick={() => wantsToSignIn.set(true)}>{t("signin")}</Button>
          </div>
        </>
      )}
    </Card>
  );
}
