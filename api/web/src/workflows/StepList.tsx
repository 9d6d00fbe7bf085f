import { Link } from "wouter";
import type { Schemas } from "../api";
import { percentOf, progressWords } from "../jobs/progress";
import { said } from "../problems/known";
import { Bar } from "../ui/Bar";
import { needsOf, SOURCE } from "./layout";
import styles from "./StepList.module.css";
import { endedJobs, fractionOf } from "./steps";
import { stepWords, t } from "./strings";

type Step = Schemas["WorkflowStep"];

const MOST_JOBS = 12; // links of a step that is done for a list of songs

/** Each step in words: its state, what it needs, how far it is, and its jobs. */
export function StepList({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className={styles.list} aria-label={t("graph.list")}>
      {steps.map((step) => (
        <StepRow key={step.id} step={step} />
      ))}
    </ol>
  );
}

function StepRow({ step }: { step: Step }) {
  const [first] = step.jobs;
  const running = step.jobs.find((job) => job.state === "running");
  const fraction = fractionOf(step);
  const needs = needsOf(step).map((need) => (need === SOURCE ? t("source") : need));
  const facts = [step.do, stepWords(step.state), t("step.needs", { needs: needs.join(", ") })];
  if (step.jobs.length > 1) facts.push(t("step.jobs", { done: endedJobs(step), all: step.jobs.length }));
  if (running) facts.push(step.jobs.length > 1 ? `${percentOf(fraction ?? 0)} %` : progressWords(running));
  const code = step.jobs.find((job) => job.error)?.error?.code;
  return (
    <li className={styles.step} data-state={step.state}>
      <h3>{step.id}</h3>
      <p className={styles.facts}>{facts.join(" · ")}</p>
      {code ? <p>{said(code) ?? code}</p> : null}
      {running ? (
        <Bar value={fraction} label={t("progress", { name: step.id })} text={facts.slice(1).join(", ")} look="accent" />
      ) : null}
      {first ? (
        <p className={styles.links}>
          {step.jobs.slice(0, MOST_JOBS).map((job) => (
            <Link key={job.id} href={`/app/jobs/${job.id}`}>
              {t("step.job", { step: job.step ?? step.id })}
            </Link>
          ))}
        </p>
      ) : null}
    </li>
  );
}
