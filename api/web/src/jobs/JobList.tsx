import type { JobSummary } from "../api";
import styles from "./JobList.module.css";
import { JobRow } from "./JobRow";

export function JobList({ jobs }: { jobs: readonly JobSummary[] }) {
  return (
    <ul className={styles.list}>
      {jobs.map((job) => (
        <JobRow key={job.id} job={job} />
      ))}
    </ul>
  );
}
