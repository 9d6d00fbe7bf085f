import { lazy, Suspense } from "react";
import { useLocation } from "wouter";
import type { Job } from "../api";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Card } from "../ui/Card";
import { Files } from "./Files";
import styles from "./Outcome.module.css";
import { PlayerPlace } from "./PlayerPlace";
import { Progress } from "./Progress";
import { nameOf } from "./progress";
import { t } from "./strings";
import { useJobActions } from "./useJobs";
import { useMixable } from "./useMixable";
import { Warnings } from "./Warnings";

const Workbench = lazy(() => import("../work/Workbench"));
const MadeView = lazy(() => import("../work/MadeView"));

/** Kinds whose files are heard together. */
const PLAYED: ReadonlySet<string> = new Set(["separate", "generate", "mix"]);

/** What a job's reader came for: how far it is, what it made, or why there is nothing. */
export function Outcome({ job, onReload }: { job: Job; onReload: () => void }) {
  const [, navigate] = useLocation();
  const { retry } = useJobActions(job.id);
  const again = () => retry.mutate(undefined, { onSuccess: (next) => navigate(`/app/jobs/${next.id}`) });
  const mixable = useMixable();
  const studio = () => navigate("/");
  if (job.state === "queued" || job.state === "running") {
    return (
      <Card>
        <Progress job={job} />
      </Card>
    );
  }
  if (job.state === "succeeded") {
    return (
      <>
        {PLAYED.has(job.kind) ? (
          <PlayerPlace job={job} mixable={mixable && job.kind === "separate"} analysed={job.kind === "separate"} />
        ) : null}
        <Warnings job={job} />
        <Suspense fallback={null}>
          {job.kind === "separate" ? null : <MadeView job={job} />}
          <Workbench job={job} />
        </Suspense>
        <Files files={job.files} name={nameOf(job)} />
      </>
    );
  }
  if (job.state === "failed" && job.error) {
    return (
      <ProblemPanel
        code={job.error.code}
        detail={job.error.detail}
        requestId={job.id}
        actions={{
          retry: again,
          again: studio,
          choose_other: studio,
          use_upload: studio,
          change: studio,
          upload_again: studio,
          refresh: onReload,
        }}
      />
    );
  }
  return <p className={styles.words}>{t(job.state === "expired" ? "expired.words" : "canceled.words")}</p>;
}
