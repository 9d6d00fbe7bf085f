import { Play, X } from "lucide-react";
import type { Schemas } from "../api";
import { bytes, span } from "../i18n";
import { Button } from "../ui/Button";
import styles from "./Card.module.css";
import type { RowProps } from "./MessageRow";
import { money } from "./money";
import { kindWords, t } from "./strings";

type Forecast = Schemas["Plan"];

const LEAST_WAIT = 1; // seconds that are worth a word

/** A plan: its steps, what it takes, and the buttons that run or drop it. */
export function PlanCard({ message, forecast, acts }: RowProps & { forecast: Forecast }) {
  const { number, state, summary, version } = message;
  const name = t("plan.title", { summary: summary ?? "" });
  const whole = [
    t("plan.whole", { span: span(Math.max(1, forecast.total_seconds)), bytes: bytes(forecast.stored_bytes) }),
  ];
  if (forecast.waiting_seconds >= LEAST_WAIT) whole.push(t("plan.wait", { span: span(forecast.waiting_seconds) }));
  if (forecast.cost > 0) whole.push(t("plan.cost", { cost: money(forecast.cost, forecast.currency) }));
  const run = () => acts.act({ do: "confirm", number });
  const busy = acts.pending !== null;
  return (
    <article className={styles.card} aria-label={name} data-state={state ?? undefined}>
      <h3>{name}</h3>
      <ol className={styles.steps} aria-label={t("plan.steps")}>
        {forecast.steps.map((step) => (
          <PlanStep key={step.step} step={step} />
        ))}
      </ol>
      <p className={styles.facts}>{whole.join(" · ")}</p>
      {state === "open" ? (
        <div className={styles.actions}>
          <Button look="main" aria-disabled={busy} icon={<Play aria-hidden="true" />} onClick={busy ? undefined : run}>
            {t("plan.run")}
          </Button>
          <Button aria-disabled={busy} icon={<X aria-hidden="true" />} onClick={busy ? undefined : acts.undo}>
            {t("plan.drop")}
          </Button>
        </div>
      ) : null}
      {state === "confirmed" ? <p className={styles.facts}>{t("plan.confirmed", { version: version ?? 0 })}</p> : null}
      {state === "rejected" || state === "replaced" ? <p className={styles.facts}>{t(`plan.${state}`)}</p> : null}
    </article>
  );
}

function PlanStep({ step }: { step: Forecast["steps"][number] }) {
  const facts = t("plan.step", {
    kind: kindWords(step.kind),
    span: span(Math.max(1, step.work_seconds)),
    pool: step.pool,
  });
  return (
    <li>
      {facts}
      {step.alive ? null : <strong> · {t("plan.dead")}</strong>}
    </li>
  );
}
