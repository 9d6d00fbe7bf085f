import { LinkButton } from "../ui/LinkButton";
import { JobList } from "./JobList";
import styles from "./RecentJobs.module.css";
import { t } from "./strings";
import { useJobs } from "./useJobs";

const MOST = 5;

/** The newest jobs, below the studio; nothing where there are none. */
export function RecentJobs() {
  const jobs = useJobs({}, MOST).data?.pages[0]?.jobs ?? [];
  if (jobs.length === 0) return null;
  return (
    <section aria-label={t("recent.title")}>
      <header className={styles.head}>
        <h2>{t("recent.title")}</h2>
        <LinkButton href="/app/jobs" look="quiet">
          {t("recent.all")}
        </LinkButton>
      </header>
      <JobList jobs={jobs} />
    </section>
  );
}
