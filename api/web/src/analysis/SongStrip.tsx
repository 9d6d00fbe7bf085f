import type { Job } from "../api";
import { useStore } from "../app/store";
import type { Engine } from "../player/engine";
import type { Viewport } from "../player/view";
import { useAnalysisOf } from "./analysis";
import { Strip } from "./Strip";

interface Props {
  job: Job;
  engine: Engine;
  view: Viewport;
}

/** The analysis of the song that plays, over the part of it that the lanes show; nothing where there is none. */
export default function SongStrip({ job, engine, view }: Props) {
  const { from, to } = useStore(view);
  const { phase } = useStore(engine.state);
  const found = useAnalysisOf(job);
  if (!found) return null;
  return (
    <Strip
      found={found}
      from={from}
      to={to}
      position={() => engine.position}
      moving={phase === "playing"}
      onSeek={(seconds) => engine.seek(seconds)}
    />
  );
}
