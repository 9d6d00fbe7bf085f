import { CircleX } from "lucide-react";
import type { ReactNode } from "react";
import type { Job } from "../api";
import { Progress } from "../jobs/Progress";
import { LIVE, useJobActions } from "../jobs/useJobs";
import { useSpoken } from "../jobs/useSpoken";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Button } from "../ui/Button";
import { Disclosure } from "../ui/Disclosure";
import { LinkButton } from "../ui/LinkButton";
import type { Work } from "./create";
import { t } from "./strings";
import type { useWork } from "./useWork";
import styles from "./WorkPanel.module.css";

type Working = Pick<ReturnType<typeof useWork<Work>>, "mix" | "job" | "again" | "forget" | "problem">;

interface Props {
  work: Working;
  /** asks for the work */
  form: ReactNode;
  /** shows what came of it */
  children: (job: Job) => ReactNode;
}

/** Work that goes on from a job: its form, then how far it is, then what came of it. */
export function WorkPanel({ work, form, children }: Props) {
  const now = work.job ?? work.mix;
  useSpoken(now);
  const { problem } = work;
  const failed = problem ? (
    <ProblemPanel
      code={problem.code}
      detail={problem.detail}
      requestId={problem.requestId}
      actions={{ retry: work.again, refresh: work.forget, again: work.forget, change: work.forget }}
    />
  ) : null;
  if (now && LIVE.has(now.state)) {
    return (
      <div className={styles.panel}>
        {work.mix ? <p className={styles.note}>{t("step.mix")}</p> : null}
        <Progress job={now} />
        <Cancel job={now} />
        {failed}
      </div>
    );
  }
  if (work.job?.state === "succeeded") {
    return (
      <div className={styles.panel}>
        {children(work.job)}
        <div className={styles.more}>
          <LinkButton href={`/app/jobs/${work.job.id}`}>{t("page")}</LinkButton>
          <Disclosure title={t("again")}>{form}</Disclosure>
        </div>
        {failed}
      </div>
    );
  }
  return (
    <div className={styles.panel}>
      {now ? <Ended job={now} onForget={work.forget} /> : null}
      {failed}
      {form}
    </div>
  );
}

function Cancel({ job }: { job: Job }) {
  const { cancel } = useJobActions(job.id);
  return (
    <div>
      <Button
        icon={<CircleX aria-hidden="true" />}
        disabled={cancel.isPending}
        onClick={() => cancel.mutate(undefined)}
      >
        {t("cancel")}
      </Button>
    </div>
  );
}

function Ended({ job, onForget }: { job: Job; onForget: () => void }) {
  if (job.state === "failed" && job.error) {
    const actions = { retry: onForget, again: onForget, change: onForget, upload_again: onForget, refresh: onForget };
    return <ProblemPanel code={job.error.code} detail={job.error.detail} requestId={job.id} actions={actions} />;
  }
  if (job.state === "canceled") return <p className={styles.note}>{t("canceled")}</p>;
  return job.state === "expired" ? <p className={styles.note}>{t("expired")}</p> : null;
}
