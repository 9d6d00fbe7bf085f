import { Component, lazy, type ReactNode, Suspense } from "react";
import type { Job } from "../api";
import { ProblemPanel } from "../problems/ProblemPanel";
import styles from "./PlayerPlace.module.css";

const Player = lazy(() => import("../player"));
const Strip = lazy(() => import("../analysis/SongStrip"));

/** Keeps a fault of the player from taking the job's files off the page. */
class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    return error ? <ProblemPanel code="page_error" detail={error.message} /> : this.props.children;
  }
}

interface Props {
  job: Job;
  /** whether the reader may have the service mix the stems */
  mixable?: boolean;
  /** whether a strip shows what is known of the song */
  analysed?: boolean;
}

/** The player, which comes in a file of its own; so does the strip with what an `analysed` song's job tells. */
export function PlayerPlace({ job, mixable = false, analysed = false }: Props) {
  return (
    <Boundary>
      <Suspense fallback={<div className={styles.place} aria-hidden="true" />}>
        <Player job={job} mixable={mixable} Strip={analysed ? Strip : undefined} />
      </Suspense>
    </Boundary>
  );
}
