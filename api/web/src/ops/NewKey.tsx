import { type FormEvent, useState } from "react";
import { announce } from "../app/announce";
import { ProblemPanel } from "../problems/ProblemPanel";
import { makesFirstKey, useSigning } from "../session/session";
import { t as studio } from "../studio/strings";
import { Button } from "../ui/Button";
import { Check } from "../ui/Check";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { Select } from "../ui/Select";
import styles from "./KeyDialogs.module.css";
import { t } from "./strings";
import { problem, useKeys } from "./useOps";

const SCOPES = ["submit", "read", "admin"] as const;
const PRIORITIES = ["high", "normal", "low"] as const;
type Scope = (typeof SCOPES)[number];

/** Makes a key, and shows its secret until the dialog is closed. */
export function NewKey({ onClose }: { onClose: () => void }) {
  const { list, make } = useKeys();
  const { signIn } = useSigning();
  const first = list.data?.needed === false;
  const [name, setName] = useState("");
  const [chosen, setScopes] = useState<readonly Scope[] | null>(null);
  const scopes: readonly Scope[] = chosen ?? (first ? ["admin"] : ["submit", "read"]); // it may be known only later that it is the first
  const [minutes, setMinutes] = useState("");
  const [priority, setPriority] = useState<(typeof PRIORITIES)[number]>("normal");
  const [expires, setExpires] = useState("");
  const failed = problem(make.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = {
      name: name.trim(),
      scopes: [...scopes],
      max_priority: priority,
      minutes_per_day: minutes ? Number(minutes) : null,
      expires_at: expires ? new Date(`${expires}T23:59:59`).toISOString() : null,
    };
    // from the first key on everybody needs one: its maker is signed in with it, so that the page stays
    const done = () => makesFirstKey.set(false);
    makesFirstKey.set(first);
    make.mutate(body, {
      onSuccess: (made) => (first ? void signIn(made.key).finally(done) : undefined),
      onError: done,
    });
  };
  if (make.data) {
    const { key } = make.data;
    const copy = () => void navigator.clipboard?.writeText(key).then(() => announce(t("keys.copied")));
    return (
      <Dialog title={t("keys.new")} onClose={onClose}>
        <div className={styles.form}>
          <p className={styles.once}>{t("keys.shown")}</p>
          <Field label={t("keys.secret", { name: make.data.name })}>
            {(control) => <input {...control} readOnly value={key} onFocus={(event) => event.target.select()} />}
          </Field>
          {navigator.clipboard ? (
            <Button look="main" onClick={copy}>
              {t("keys.copy")}
            </Button>
          ) : null}
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("keys.new")} onClose={onClose}>
      <form className={styles.form} onSubmit={submit}>
        <Field label={t("keys.name")}>
          {(control) => (
            <input
              {...control}
              required
              maxLength={200}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <fieldset className={styles.scopes}>
          <legend>{t("keys.scopes")}</legend>
          {SCOPES.map((scope) => (
            <Check
              key={scope}
              checked={scopes.includes(scope)}
              onChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope))}
            >
              {t(`scope.${scope}`)}
            </Check>
          ))}
          {first ? <p className={styles.note}>{t("keys.first.admin")}</p> : null}
        </fieldset>
        <div className={styles.pair}>
          <Field label={t("keys.minutes")} hint={t("keys.minutes.hint")}>
            {(control) => (
              <input
                {...control}
                type="number"
                min={0}
                step="any"
                value={minutes}
                onChange={(event) => setMinutes(event.target.value)}
              />
            )}
          </Field>
          <Field label={t("keys.expires")} hint={t("keys.expires.hint")}>
            {(control) => (
              <input {...control} type="date" value={expires} onChange={(event) => setExpires(event.target.value)} />
            )}
          </Field>
          <Select
            label={t("keys.priority")}
            value={priority}
            options={PRIORITIES}
            text={(one) => studio(`priority.${one}`)}
            onChange={setPriority}
          />
        </div>
        {failed ? <ProblemPanel code={failed.code} detail={failed.detail} requestId={failed.requestId} /> : null}
        <Button
          look="main"
          type="submit"
          disabled={make.isPending || scopes.length === 0 || (first && !scopes.includes("admin"))}
        >
          {t("keys.make")}
        </Button>
      </form>
    </Dialog>
  );
}
