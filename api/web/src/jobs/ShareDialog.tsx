import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, Problem } from "../api";
import { announce } from "../app/announce";
import { moment } from "../i18n";
import { ProblemPanel } from "../problems/ProblemPanel";
import { useLimits } from "../studio/useStudio";
import { Button } from "../ui/Button";
import { Choice } from "../ui/Choice";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import styles from "./Dialogs.module.css";
import { t } from "./strings";

const DAY = 86_400;
const SPANS = [
  { value: "1", label: "share.day" },
  { value: "7", label: "share.week" },
  { value: "30", label: "share.month" },
] as const;

/** Makes a link by which others hear this one job. */
export function ShareDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const [days, setDays] = useState<"1" | "7" | "30">("7");
  const most = useLimits().data?.share_seconds ?? 30 * DAY;
  const share = useMutation({
    mutationFn: () =>
      answer(
        client.POST("/v1/jobs/{job_id}/share", {
          params: { path: { job_id: id } },
          body: { seconds: Math.min(most, Number(days) * DAY) },
        }),
      ),
  });
  const copy = (url: string) => void navigator.clipboard?.writeText(url).then(() => announce(t("share.copied")));
  return (
    <Dialog title={t("share.title")} onClose={onClose}>
      <div className={styles.body}>
        <p>{t("share.words")}</p>
        {share.data ? (
          <>
            <Field label={t("share.link")} hint={t("share.until", { moment: moment(share.data.expires_at) })}>
              {(control) => (
                <input {...control} readOnly value={share.data.url} onFocus={(event) => event.target.select()} />
              )}
            </Field>
            {navigator.clipboard ? (
              <div className={styles.actions}>
                <Button look="main" onClick={() => copy(share.data.url)}>
                  {t("share.copy")}
                </Button>
              </div>
            ) : null}
          </>
        ) : (
          <>
            <Choice
              legend={t("share.days")}
              value={days}
              choices={SPANS.map(({ value, label }) => ({ value, label: t(label) }))}
              onChange={setDays}
            />
            <div className={styles.actions}>
              <Button look="main" disabled={share.isPending} onClick={() => share.mutate()}>
                {t("share.make")}
              </Button>
            </div>
          </>
        )}
        {share.error instanceof Problem ? (
          <ProblemPanel code={share.error.code} detail={share.error.detail} requestId={share.error.requestId} />
        ) : null}
      </div>
    </Dialog>
  );
}
