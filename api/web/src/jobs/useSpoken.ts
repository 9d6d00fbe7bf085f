import { useEffect, useRef } from "react";
import type { Job, JobSummary } from "../api";
import { alarm, announce } from "../app/announce";
import { fractionOf, nameOf, percentOf } from "./progress";
import { stageWords, t } from "./strings";

/** Says what a job does to who does not see it: each stage, each quarter, and its end. Nothing at the first look. */
export function useSpoken(job: Job | JobSummary | undefined): void {
  const before = useRef<{ state: string; stage: string; quarter: number } | null>(null);
  const state = job?.state;
  const stage = job?.progress.stage;
  const fraction = job ? fractionOf(job) : null;
  const quarter = fraction === null ? 0 : Math.floor(percentOf(fraction) / 25);
  const name = job ? nameOf(job) : "";
  const ready = job?.kind === "separate" ? "say.ready" : "say.done";
  useEffect(() => {
    if (state === undefined || stage === undefined) return;
    const last = before.current;
    before.current = { state, stage, quarter };
    if (!last) return;
    if (state !== last.state && state === "succeeded") announce(t(ready, { name }));
    else if (state !== last.state && state === "failed") alarm(t("say.failed", { name }));
    else if (state === "running" && stage !== last.stage) announce(`${name}: ${stageWords(stage)}`);
    else if (state === "running" && quarter > last.quarter) announce(t("say.quarter", { name, percent: quarter * 25 }));
  }, [state, stage, quarter, name, ready]);
}
