import { type FormEvent, useState } from "react";
import { Problem } from "../api";
import { announce } from "../app/announce";
import { Page } from "../app/Page";
import { useStore } from "../app/store";
import { said } from "../problems/known";
import { songs } from "../studio/songs";
import { Button } from "../ui/Button";
import { Card } from "../ui/Card";
import { Check } from "../ui/Check";
import { Field } from "../ui/Field";
import styles from "./SignIn.module.css";
import { useSigning, wantsToSignIn } from "./session";
import { t } from "./strings";

/** Trades a key for a session. The key lives in the field alone. */
export function SignIn() {
  const { signIn } = useSigning();
  const optional = useStore(wantsToSignIn);
  const waiting = useStore(songs).length > 0;
  const [key, setKey] = useState("");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await signIn(key.trim());
      announce(t("done"));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setError(problem.code === "unauthorized" ? t("wrong") : (said(problem.code) ?? problem.detail));
      setBusy(false);
    }
  };

  return (
    <div className={styles.place}>
      <Page title={t("title")} lead={waiting ? `${t("lead")} ${t("kept")}` : t("lead")}>
        <Card>
          <form className={styles.form} onSubmit={submit}>
            <Field label={t("key")} hint={t("hint")} error={error}>
              {(control) => (
                <input
                  {...control}
                  type={shown ? "text" : "password"}
                  name="key"
                  autoComplete="current-password"
                  autoCapitalize="none"
                  spellCheck={false}
                  required
                  value={key}
                  onChange={(event) => setKey(event.target.value)}
                />
              )}
            </Field>
            <Check checked={shown} onChange={setShown}>
              {t("show")}
            </Check>
            <div className={styles.actions}>
              <Button look="main" type="submit" disabled={busy || !key.trim()}>
                {t("submit")}
              </Button>
              {optional ? <Button onClick={() => wantsToSignIn.set(false)}>{t("cancel")}</Button> : null}
            </div>
          </form>
        </Card>
      </Page>
    </div>
  );
}
