import { lazy, Suspense, useState } from "react";
import type { Job } from "../api";
import { useStore } from "../app/store";
import { Card } from "../ui/Card";
import { audioFiles } from "./heard";
import { useServed } from "./served";
import { t } from "./strings";
import { Tabs } from "./Tabs";
import { works } from "./works";

const PANELS = {
  analyze: lazy(() => import("../analysis/AnalyzePanel")),
  master: lazy(() => import("../mastering/MasterPanel")),
  transcribe: lazy(() => import("../notes/NotesPanel")),
  export: lazy(() => import("../exports/ExportPanel")),
};
type Tab = keyof typeof PANELS;
const TABS = Object.keys(PANELS) as Tab[];

/** What else can be made of a job's files, as far as somebody here makes it. */
export default function Workbench({ job }: { job: Job }) {
  const served = useServed();
  const all = useStore(works);
  const [chosen, setChosen] = useState<Tab | null>(null);
  const tabs = TABS.filter((kind) => served?.has(kind) && job.kind !== kind);
  if (tabs.length === 0 || audioFiles(job).length === 0) return null;
  const latest = all.find((one) => one.of === job.id && tabs.some((tab) => tab === one.work))?.work;
  const open = chosen ?? tabs.find((tab) => tab === latest) ?? null;
  const Panel = open ? PANELS[open] : null;
  return (
    <Card title={t("title")}>
      <Tabs
        label={t("title")}
        tabs={tabs.map((value) => ({ value, label: t(`tab.${value}`) }))}
        value={open}
        onChange={setChosen}
      >
        <Suspense fallback={null}>{Panel ? <Panel key={open} job={job} /> : null}</Suspense>
      </Tabs>
    </Card>
  );
}
