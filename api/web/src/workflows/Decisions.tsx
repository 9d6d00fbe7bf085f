import type { Schemas } from "../api";
import { moment } from "../i18n";
import { said } from "../problems/known";
import { Table } from "../ui/Table";
import { stepWords, t } from "./strings";

const MOST = 300;

/** The decision log: where each job went and why, what came from the cache, what was tried again. */
export function Decisions({ decisions }: { decisions: readonly Schemas["Decision"][] }) {
  const rows = decisions.slice(-MOST).map((one, place) => ({
    key: `${place}`,
    cells: [
      <time key="at" dateTime={one.at}>
        {moment(one.at)}
      </time>,
      one.step,
      one.from ? t("move", { from: stepWords(one.from), to: stepWords(one.to) }) : stepWords(one.to),
      [said(/^[a-z_]+/.exec(one.why)?.[0] ?? "") ?? one.why, one.worker].filter(Boolean).join(" · "),
    ],
  }));
  return <Table label={t("decisions")} head={[t("at"), t("step"), t("what"), t("why")]} rows={rows} />;
}
