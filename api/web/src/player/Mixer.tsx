import { ZoomIn, ZoomOut } from "lucide-react";
import { type ReactNode, Suspense } from "react";
import { useStore } from "../app/store";
import { IconButton } from "../ui/Button";
import { useFrames } from "../ui/useFrames";
import { useParts } from "./context";
import { LaneRow } from "./LaneRow";
import styles from "./Mixer.module.css";
import { Overview } from "./Overview";
import { Ruler } from "./Ruler";
import { t } from "./strings";

const ZOOM = 2;

/** The song as a whole, and each of its stems below. `children` are tools for all of it. */
export function Mixer({ children }: { children: ReactNode }) {
  const { job, engine, view, lanes, Strip } = useParts();
  useStore(view);
  const { phase } = useStore(engine.state);
  useFrames(phase === "playing" && view.zoomed, () => {
    if (phase === "playing" && !matchMedia("(prefers-reduced-motion: reduce)").matches) view.follow(engine.position);
  });
  return (
    <section className={styles.mixer} aria-label={t("mixer")}>
      <h2 className="aside">{t("mixer")}</h2>
      <div className={styles.top}>
        <Overview />
        <div className={styles.tools}>
          <IconButton
            label={t("zoom.out")}
            disabled={!view.zoomed}
            onClick={() => view.zoom(1 / ZOOM, engine.position)}
          >
            <ZoomOut aria-hidden="true" />
          </IconButton>
          <IconButton label={t("zoom.in")} onClick={() => view.zoom(ZOOM, engine.position)}>
            <ZoomIn aria-hidden="true" />
          </IconButton>
          {children}
        </div>
      </div>
      {Strip ? (
        <div className={styles.strip}>
          <Suspense fallback={null}>
            <Strip job={job} engine={engine} view={view} />
          </Suspense>
        </div>
      ) : null}
      <div className={styles.ruler}>
        <Ruler />
      </div>
      <div className={styles.lanes}>
        {lanes.map((lane) => (
          <LaneRow key={lane.stem} lane={lane} place={engine.source?.stems.indexOf(lane.stem) ?? -1} />
        ))}
      </div>
    </section>
  );
}
