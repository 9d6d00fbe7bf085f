import { type FormEvent, useState } from "react";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import styles from "./LinkForm.module.css";
import { t } from "./strings";

/** Whether this is a whole http address; the service judges the rest. */
function isLink(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

export function LinkForm({ onLink }: { onLink: (url: string) => void }) {
  const [url, setUrl] = useState("");
  const [error, setError] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = url.trim();
    if (!isLink(given)) return setError(t("link.bad"));
    onLink(given);
    setUrl("");
    setError(null);
  };
  return (
    <form className={styles.form} onSubmit={submit} noValidate>
      <Field label={t("link.label")} error={error}>
        {(control) => (
          <input
            {...control}
            type="url"
            inputMode="url"
            placeholder="https://"
            value={url}
            onChange={(event) => setUrl(event.target.value)}
          />
        )}
      </Field>
      <Button type="submit">{t("link.add")}</Button>
    </form>
  );
}
