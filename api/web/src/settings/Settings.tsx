import { Page } from "../app/Page";
import { prefer, preferences } from "../app/preferences";
import { useStore } from "../app/store";
import { LOCALES } from "../i18n";
import { Card } from "../ui/Card";
import { Check } from "../ui/Check";
import { Choice } from "../ui/Choice";
import { Account } from "./Account";
import styles from "./Settings.module.css";
import { t } from "./strings";

const NAMES = { en: "English", de: "Deutsch" } as const;

/** What this browser remembers, and who is signed in. */
export function Settings() {
  const { theme, language, shortcuts } = useStore(preferences);
  return (
    <Page title={t("title")}>
      <div className={styles.settings}>
        <Card title={t("look")}>
          <div className={styles.body}>
            <Choice
              legend={t("theme")}
              value={theme}
              choices={[
                { value: "system", label: t("theme.system") },
                { value: "light", label: t("theme.light") },
                { value: "dark", label: t("theme.dark") },
              ]}
              onChange={(next) => prefer({ theme: next })}
            />
            <Choice
              legend={t("language")}
              value={language ?? "browser"}
              choices={[
                { value: "browser", label: t("language.browser") },
                ...LOCALES.map((value) => ({ value, label: NAMES[value] })),
              ]}
              onChange={(next) => prefer({ language: next === "browser" ? null : next })}
            />
          </div>
        </Card>
        <Account />
        <Card title={t("keys")}>
          <Check checked={shortcuts} onChange={(next) => prefer({ shortcuts: next })}>
            {t("shortcuts")}
          </Check>
        </Card>
        <Card title={t("docs")}>
          <p>{t("docs.words")}</p>
          <a className={styles.link} href="/docs">
            {t("docs.link")}
          </a>
        </Card>
      </div>
    </Page>
  );
}
