import { jobQuery } from "../jobs/useJobs";
import { sharedQuery } from "../share/useShared";
import { queries } from "./queries";

const JOB = /^\/app\/jobs\/([0-9a-f]{32})\/?$/;
const SHARED = /^\/s\/([^/]+)\/?$/;

/** Ask for what the page that is opened will need, before its parts ask for it one after the other. */
export function foresee(path: string): void {
  const job = JOB.exec(path)?.[1];
  const token = SHARED.exec(path)?.[1];
  if (!job && !token) return;
  void import("../player").catch(() => {}); // who needs it says so
  if (job) void queries.prefetchQuery(jobQuery(job));
  if (token) void queries.prefetchQuery(sharedQuery(token));
}
