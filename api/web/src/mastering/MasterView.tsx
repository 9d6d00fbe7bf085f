import { Download } from "lucide-react";
import type { Job } from "../api";
import { bytes, number } from "../i18n";
import { Disclosure } from "../ui/Disclosure";
import { LinkButton } from "../ui/LinkButton";
import { Table } from "../ui/Table";
import { Compare } from "./Compare";
import { FIGURES, factsOf, type MasterFacts } from "./facts";
import styles from "./MasterView.module.css";
import { t } from "./strings";

const STAGES = ["match", "eq", "compression", "saturation", "width"] as const;
const figure = (value: unknown) => (typeof value === "number" ? number(value, 2) : "–");

/** A master: compared with its original by ear and by figures. */
export default function MasterView({ job }: { job: Job }) {
  const facts = factsOf(job);
  const file = job.files.master;
  if (!facts) return null;
  const rows = FIGURES.filter((name) => facts.before[name] != null || facts.after[name] != null).map((name) => ({
    key: name,
    cells: [t(name), figure(facts.before[name]), figure(facts.after[name])],
  }));
  return (
    <div className={styles.view}>
      <Compare master={job} facts={facts} />
      <section className={styles.facts}>
        <h3>{t("facts")}</h3>
        <Table label={t("facts")} head={[t("fact"), t("before"), t("after")]} rows={rows} />
        <p className={styles.note}>{aims(facts).join(" · ")}</p>
      </section>
      {facts.stages?.length ? (
        <Disclosure title={t("stages")}>
          <Table label={t("stages")} head={[t("stage"), t("settings"), t("rms")]} rows={stageRows(facts)} />
        </Disclosure>
      ) : null}
      {file ? (
        <div>
          <LinkButton out look="main" href={file.url} download={file.filename} icon={<Download aria-hidden="true" />}>
            {`${file.filename} (${bytes(file.bytes)})`}
          </LinkButton>
        </div>
      ) : null}
    </div>
  );
}

function aims({ target_lufs: lufs, ceiling_db: ceiling, gain_db: gain, limiter }: MasterFacts): string[] {
  const said: string[] = [];
  if (lufs != null || ceiling != null) {
    said.push(`${t("target")}: ${t("target.value", { lufs: figure(lufs), ceiling: figure(ceiling) })}`);
  }
  if (gain !== undefined) said.push(`${t("gain")}: ${t("gain.value", { db: figure(gain) })}`);
  if (limiter) {
    const [db, share] = [figure(limiter.most_reduction_db), number(limiter.share_of_time * 100)];
    said.push(`${t("limiter")}: ${t("limiter.value", { db, share })}`);
  }
  return said;
}

function stageRows({ stages = [] }: MasterFacts) {
  return stages.map(({ stage, parameters, rms_in_db: before, rms_out_db: after }, place) => {
    const known = STAGES.find((one) => one === stage);
    const values = Object.entries(parameters).map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(value)}`);
    return {
      key: `${place}`,
      cells: [known ? t(`stage.${known}`) : stage, values.join(", "), `${figure(before)}, ${figure(after)}`],
    };
  });
}

function shown(value: unknown): string {
  if (typeof value === "number") return number(value, 3);
  if (Array.isArray(value)) return value.map(shown).join(" / ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, each]) => `${name}: ${shown(each)}`)
      .join(" / ");
  }
  return value === null ? "–" : String(value);
}
