import { X } from "lucide-react";
import { useId, useState } from "react";
import type { Schemas } from "../api";
import { nameOf } from "../jobs/progress";
import { useJob, useJobs } from "../jobs/useJobs";
import { ProblemPanel } from "../problems/ProblemPanel";
import { useLimits } from "../studio/useStudio";
import { Bar } from "../ui/Bar";
import { IconButton } from "../ui/Button";
import { Choice } from "../ui/Choice";
import { Field } from "../ui/Field";
import { Select } from "../ui/Select";
import { audioFiles } from "./heard";
import styles from "./SongPicker.module.css";
import { t } from "./strings";
import { useUpload } from "./useUpload";

export type Source = Schemas["SourceForm"];
type Way = "file" | "link" | "job";

interface Props {
  legend?: string;
  /** null: there is none yet */
  onChange: (source: Source | null) => void;
}

const WITHOUT_SOUND = new Set(["analyze", "transcribe", "export"]);
const MOST_JOBS = 50;

/** Where a song comes from: a file that is sent now, a link, or a file of an earlier job. */
export function SongPicker({ legend, onChange }: Props) {
  const [way, setWay] = useState<Way>("file");
  const limits = useLimits().data;
  const ways: Way[] = limits?.url_sources ? ["file", "link", "job"] : ["file", "job"];
  const choose = (next: Way) => {
    setWay(next);
    onChange(null);
  };
  return (
    <div className={styles.picker}>
      <Choice
        legend={legend ?? t("source.legend")}
        value={way}
        choices={ways.map((value) => ({ value, label: t(`source.${value}`) }))}
        onChange={choose}
      />
      {way === "file" ? <FromFile onChange={onChange} /> : null}
      {way === "link" ? <FromLink onChange={onChange} /> : null}
      {way === "job" ? <FromJob onChange={onChange} /> : null}
    </div>
  );
}

function FromFile({ onChange }: Props) {
  const id = useId();
  const { sending, send, drop } = useUpload((uploadId) => onChange(uploadId ? { upload_id: uploadId } : null));
  if (!sending) {
    return (
      <label className={styles.choose} htmlFor={id}>
        <input
          id={id}
          type="file"
          accept="audio/*,video/*,.flac,.opus,.aiff,.aif,.m4a,.mka,.wv,.ape"
          onChange={(event) => {
            const [file] = event.target.files ?? [];
            if (file) void send(file);
          }}
        />
        <span>{t("source.choose")}</span>
      </label>
    );
  }
  const { file, sent, uploadId, problem } = sending;
  const share = sent / (file.size || 1);
  const words = uploadId
    ? t("source.held", { name: file.name })
    : t("source.sending", { percent: Math.floor(share * 100), name: file.name });
  return (
    <div className={styles.file}>
      <p role="status">{words}</p>
      <IconButton label={t("source.remove", { name: file.name })} onClick={drop}>
        <X aria-hidden="true" />
      </IconButton>
      {uploadId || problem ? null : (
        <div className={styles.wide}>
          <Bar value={share} label={t("source.progress", { name: file.name })} text={words} />
        </div>
      )}
      {problem ? (
        <div className={styles.wide}>
          <ProblemPanel
            code={problem.code}
            detail={problem.detail}
            requestId={problem.requestId}
            actions={{ retry: () => void send(file), upload_again: () => void send(file), choose_other: drop }}
          />
        </div>
      ) : null}
    </div>
  );
}

function FromLink({ onChange }: Props) {
  const [url, setUrl] = useState("");
  const given = url.trim();
  const whole = URL.canParse(given) && /^https?:$/.test(new URL(given).protocol);
  return (
    <Field label={t("source.url")} error={given && !whole ? t("source.url.bad") : null}>
      {(control) => (
        <input
          {...control}
          type="url"
          inputMode="url"
          placeholder="https://"
          value={url}
          onChange={(event) => {
            const text = event.target.value.trim();
            setUrl(event.target.value);
            const fits = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
            onChange(fits ? { url: text } : null);
          }}
        />
      )}
    </Field>
  );
}

function FromJob({ onChange }: Props) {
  const jobs = useJobs({ state: "succeeded" }, MOST_JOBS).data?.pages[0]?.jobs ?? [];
  const [id, setId] = useState("");
  const [output, setOutput] = useState("");
  const job = useJob(id || null).data;
  const files = job ? audioFiles(job) : [];
  const usable = jobs.filter((one) => !WITHOUT_SOUND.has(one.kind));
  if (usable.length === 0) return <p>{t("source.jobs.none")}</p>;
  return (
    <div className={styles.job}>
      <Field label={t("source.which")}>
        {(control) => (
          <select
            {...control}
            value={id}
            onChange={(event) => {
              setId(event.target.value);
              setOutput("");
              onChange(null);
            }}
          >
            <option value="">{t("source.which.none")}</option>
            {usable.map((one) => (
              <option key={one.id} value={one.id}>
                {nameOf(one)} ({one.kind})
              </option>
            ))}
          </select>
        )}
      </Field>
      {id ? (
        <Select
          label={t("source.output")}
          value={output}
          options={["", ...files]}
          onChange={(name) => {
            setOutput(name);
            onChange(name ? { job_id: id, output: name } : null);
          }}
        />
      ) : null}
    </div>
  );
}
