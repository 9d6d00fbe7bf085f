import { CircleX, Download, RotateCcw, Share2, Trash2 } from "lucide-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { type Job, Problem } from "../api";
import { announce } from "../app/announce";
import { bytes } from "../i18n";
import { ProblemPanel } from "../problems/ProblemPanel";
import { useSession } from "../session/session";
import { Button } from "../ui/Button";
import { LinkButton } from "../ui/LinkButton";
import { DeleteDialog } from "./DeleteDialog";
import { nameOf } from "./progress";
import { ShareDialog } from "./ShareDialog";
import { t } from "./strings";
import { LIVE, useJobActions } from "./useJobs";

const RETRYABLE = new Set(["failed", "canceled", "expired"]);

/** What can be done with a job in its state, by who is here. */
export function JobActions({ job }: { job: Job }) {
  const [open, setOpen] = useState<"delete" | "share" | null>(null);
  const [, navigate] = useLocation();
  const { may } = useSession();
  const { cancel, retry } = useJobActions(job.id);
  const failed = [cancel.error, retry.error].find((error) => error instanceof Problem);
  return (
    <>
      {job.archive ? (
        <LinkButton
          out
          look="main"
          href={job.archive.url}
          download={job.archive.filename}
          icon={<Download aria-hidden="true" />}
        >
          {t("download.zip", { bytes: bytes(job.archive.bytes) })}
        </LinkButton>
      ) : null}
      {job.state === "succeeded" && may("read") ? (
        <Button icon={<Share2 aria-hidden="true" />} onClick={() => setOpen("share")}>
          {t("share")}
        </Button>
      ) : null}
      {LIVE.has(job.state) && may("submit") ? (
        <Button
          icon={<CircleX aria-hidden="true" />}
          disabled={cancel.isPending}
          onClick={() => cancel.mutate(undefined, { onSuccess: () => announce(t("canceled")) })}
        >
          {t("cancel")}
        </Button>
      ) : null}
      {RETRYABLE.has(job.state) && may("submit") ? (
        <Button
          icon={<RotateCcw aria-hidden="true" />}
          disabled={retry.isPending}
          onClick={() => retry.mutate(undefined, { onSuccess: (next) => navigate(`/app/jobs/${next.id}`) })}
        >
          {t(job.state === "failed" ? "retry" : "again")}
        </Button>
      ) : null}
      {may("submit") ? (
        <Button icon={<Trash2 aria-hidden="true" />} onClick={() => setOpen("delete")}>
          {t("delete")}
        </Button>
      ) : null}
      {open === "delete" ? <DeleteDialog id={job.id} name={nameOf(job)} onClose={() => setOpen(null)} /> : null}
      {open === "share" ? <ShareDialog id={job.id} onClose={() => setOpen(null)} /> : null}
      {failed ? <ProblemPanel code={failed.code} detail={failed.detail} requestId={failed.requestId} /> : null}
    </>
  );
}
