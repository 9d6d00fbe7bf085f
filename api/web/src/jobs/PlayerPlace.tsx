import { lazy, Suspense } from "react";
import type { Job } from "../api";
import { Boundary } from "../problems/Boundary";
import styles from "./PlayerPlace.module.css";

const Player = lazy(() => import("../player"));
const Strip = lazy(() => import("../analysis/SongStrip"));

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
