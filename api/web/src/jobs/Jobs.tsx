import { ListMusic, SearchX } from "lucide-react";
import { useState } from "react";
import { Page } from "../app/Page";
import { QueryProblem } from "../problems/QueryProblem";
import { Button } from "../ui/Button";
import { Empty } from "../ui/Empty";
import { LinkButton } from "../ui/LinkButton";
import { Filters } from "./Filters";
import { JobList } from "./JobList";
import styles from "./Jobs.module.css";
import { t } from "./strings";
import { type Filter, useJobs } from "./useJobs";

/** All jobs: newest first, by filter, page by page. */
export function Jobs() {
  const [filter, setFilter] = useState<Filter>({});
  const jobs = useJobs(filter);
  const found = jobs.data?.pages.flatMap((page) => page.jobs) ?? [];
  const filtered = Object.values(filter).some(Boolean);
  return (
    <Page title={t("title")}>
      <div className={styles.jobs}>
        <Filters value={filter} onChange={setFilter} />
        <p role="status" className={styles.count}>
          {found.length > 0 ? t("list.count", { count: found.length }) : null}
        </p>
        {jobs.isError ? <QueryProblem error={jobs.error} onRetry={() => void jobs.refetch()} /> : null}
        {found.length > 0 ? <JobList jobs={found} /> : null}
        {jobs.data && found.length === 0 ? (
          filtered ? (
            <Empty icon={<SearchX />} title={t("list.none")}>
              <p>{t("list.none.words")}</p>
              <Button onClick={() => setFilter({})}>{t("list.clear")}</Button>
            </Empty>
          ) : (
            <Empty icon={<ListMusic />} title={t("list.empty")}>
              <p>{t("list.empty.words")}</p>
              <LinkButton href="/" look="main">
                {t("list.to_studio")}
              </LinkButton>
            </Empty>
          )
        ) : null}
        {jobs.hasNextPage ? (
          <Button disabled={jobs.isFetchingNextPage} onClick={() => void jobs.fetchNextPage()}>
            {t("list.more")}
          </Button>
        ) : null}
      </div>
    </Page>
  );
}
