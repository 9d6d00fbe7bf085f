import { useQueryClient } from "@tanstack/react-query";
import { FileX } from "lucide-react";
import { Problem } from "../api";
import { Page } from "../app/Page";
import { QueryProblem } from "../problems/QueryProblem";
import { Empty } from "../ui/Empty";
import { LinkButton } from "../ui/LinkButton";
import { JobActions } from "./JobActions";
import { JobDetails } from "./JobDetails";
import styles from "./JobPage.module.css";
import { Outcome } from "./Outcome";
import { nameOf } from "./progress";
import { t } from "./strings";
import { useJob } from "./useJobs";
import { useSpoken } from "./useSpoken";

/** One job: its progress while it lives, then what came of it. */
export function JobPage({ id }: { id: string }) {
  const query = useJob(id);
  const queries = useQueryClient();
  const job = query.data;
  useSpoken(job);

  if (query.error instanceof Problem && query.error.code === "job_not_found") {
    return (
      <Page title={t("gone.title")}>
        <Empty icon={<FileX />} title={t("gone.title")}>
          <LinkButton href="/app/jobs">{t("back")}</LinkButton>
        </Empty>
      </Page>
    );
  }
  if (!job) {
    return (
      <Page title={t("title")}>
        {query.isError ? <QueryProblem error={query.error} onRetry={() => void query.refetch()} /> : null}
      </Page>
    );
  }
  return (
    <Page key={job.id} title={nameOf(job)} picture={job.cover?.url} actions={<JobActions job={job} />}>
      <div className={styles.job}>
        <Outcome job={job} onReload={() => void queries.invalidateQueries({ queryKey: ["job", id] })} />
        <JobDetails job={job} />
      </div>
    </Page>
  );
}
