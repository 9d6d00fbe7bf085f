import { CircleAlert, Copy } from "lucide-react";
import { announce } from "../app/announce";
import { useStore } from "../app/store";
import { useSession } from "../session/session";
import { Button } from "../ui/Button";
import { Disclosure } from "../ui/Disclosure";
import { LinkButton } from "../ui/LinkButton";
import { Countdown } from "./Countdown";
import { catalog, said, wordsOf } from "./known";
import styles from "./ProblemPanel.module.css";
import { t } from "./strings";
import type { Action } from "./words";

interface Props {
  code: string;
  detail: string;
  requestId?: string | null;
  /** what this place can do of the actions that codes have; an action that is missing here has no button */
  actions?: Partial<Record<Action, () => void>>;
  /** when it is tried again by itself, in milliseconds since 1970 */
  retryAt?: number | null;
}

const POOLS = new Set(["no_pool", "no_live_pool", "no_worker", "waiting_for_pool"]);

/** What went wrong, in the reader's words, and what can be done about it. The api's words and ids stand below. */
export function ProblemPanel({ code, detail, requestId, actions = {}, retryAt }: Props) {
  const { admin } = useSession();
  useStore(catalog); // the words may come after the problem
  const action = wordsOf(code)?.action ?? "operator";
  const act = actions[action];
  const copy = () => {
    const lines = [`${code}: ${detail}`, requestId ? `request ${requestId}` : "", location.href].filter(Boolean);
    void navigator.clipboard?.writeText(lines.join("\n")).then(() => announce(t("copied")));
  };
  return (
    <div className={styles.panel}>
      <CircleAlert aria-hidden="true" className={styles.icon} />
      <div className={styles.words}>
        <p className={styles.said}>{said(code) ?? t("unknown")}</p>
        {action === "operator" && wordsOf(code) ? <p>{t("operator")}</p> : null}
        {code === "forbidden" ? <p>{t("scope")}</p> : null}
        {retryAt ? <Countdown until={retryAt} /> : null}
        <Disclosure title={t("details")} open={wordsOf(code) === null}>
          <p className={styles.detail}>{detail}</p>
          <dl className={styles.facts}>
            <dt>{t("code")}</dt>
            <dd>
              <code>{code}</code>
            </dd>
            {requestId ? (
              <>
                <dt>{t("request")}</dt>
                <dd>
                  <code>{requestId}</code>
                </dd>
              </>
            ) : null}
          </dl>
          {navigator.clipboard ? (
            <Button look="quiet" icon={<Copy aria-hidden="true" />} onClick={copy}>
              {t("copy")}
            </Button>
          ) : null}
        </Disclosure>
      </div>
      <div className={styles.actions}>
        {act && action !== "operator" && action !== "wait" ? <Button onClick={act}>{t(`act.${action}`)}</Button> : null}
        {action === "wait" && actions.retry ? <Button onClick={actions.retry}>{t("act.retry")}</Button> : null}
        {action === "jobs" && !act ? <LinkButton href="/app/jobs">{t("act.jobs")}</LinkButton> : null}
        {POOLS.has(code) && admin ? <LinkButton href="/app/ops">{t("ops")}</LinkButton> : null}
      </div>
    </div>
  );
}
