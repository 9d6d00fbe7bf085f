import { lazy, Suspense } from "react";
import type { Job } from "../api";
import { Card } from "../ui/Card";
import { t } from "./strings";

const VIEWS = {
  analyze: lazy(() => import("../analysis/AnalysisView")),
  master: lazy(() => import("../mastering/MasterView")),
  transcribe: lazy(() => import("../notes/NotesView")),
};

/** What a job of a kind that has more to show than its files made; nothing for the others. */
export default function MadeView({ job }: { job: Job }) {
  const kind = (Object.keys(VIEWS) as (keyof typeof VIEWS)[]).find((one) => one === job.kind);
  if (!kind) return null;
  const View = VIEWS[kind];
  return (
    <Card title={t(`tab.${kind}`)}>
      <Suspense fallback={null}>
        <View job={job} />
      </Suspense>
    </Card>
  );
}
