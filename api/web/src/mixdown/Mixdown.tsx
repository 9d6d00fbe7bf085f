import { useMutation } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useEffect, useState } from "react";
import { answer, client, type Job, Problem } from "../api";
import { announce } from "../app/announce";
import { useStore } from "../app/store";
import { bytes } from "../i18n";
import { Progress } from "../jobs/Progress";
import { useJob } from "../jobs/useJobs";
import { Warnings } from "../jobs/Warnings";
import { useParts } from "../player/context";
import { ProblemPanel } from "../problems/ProblemPanel";
import { randomId } from "../random";
import { useLimits } from "../studio/useStudio";
import { Button } from "../ui/Button";
import { Check } from "../ui/Check";
import { Choice } from "../ui/Choice";
import { Dialog } from "../ui/Dialog";
import { LinkButton } from "../ui/LinkButton";
import styles from "./Mixdown.module.css";
import { type Format, isHeard, mixRequest } from "./request";
import { t } from "./strings";

/** One file of what is heard, made by a job of the kind `mix`. */
export default function Mixdown({ onClose }: { onClose: () => void }) {
  const { job, engine, lanes } = useParts();
  const mix = useStore(engine.mix);
  const [format, setFormat] = useState<Format>("flac");
  const [normalise, setNormalise] = useState(false);
  const formats = useLimits().data?.formats.map((one) => one.name as Format) ?? ["flac"];
  const make = useMutation({
    mutationFn: () =>
      answer(
        client.POST("/v1/mixes:from-source", {
          params: { header: { "Idempotency-Key": randomId() } },
          body: mixRequest(job.id, mix, lanes, format, normalise),
        }),
      ),
  });
  const heard = isHeard(mix, lanes);
  if (make.data) {
    return (
      <Dialog title={t("title")} onClose={onClose}>
        <div className={styles.body}>
          <Made id={make.data.id} onAgain={() => make.reset()} />
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("title")} onClose={onClose}>
      <div className={styles.body}>
        <p>{t("words")}</p>
        <div className={styles.notes}>
          {mix.tempo !== 1 || mix.pitch !== 0 ? <p>{t("own")}</p> : null}
          {mix.looping ? <p>{t("whole")}</p> : null}
          {heard ? null : <p role="alert">{t("silent")}</p>}
        </div>
        <Choice
          legend={t("format")}
          value={format}
          choices={formats.map((value) => ({ value, label: value.toUpperCase() }))}
          onChange={setFormat}
        />
        <Check checked={normalise} onChange={setNormalise}>
          {t("normalise")}
        </Check>
        {make.error instanceof Problem ? (
          <ProblemPanel code={make.error.code} detail={make.error.detail} requestId={make.error.requestId} />
        ) : null}
        <div className={styles.actions}>
          <Button look="main" disabled={!heard || make.isPending} onClick={() => make.mutate()}>
            {t("make")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

/** The mix's job while it lives, and its file. */
function Made({ id, onAgain }: { id: string; onAgain: () => void }) {
  const job = useJob(id).data;
  const state = job?.state;
  useEffect(() => {
    if (state === "succeeded") announce(t("ready"));
  }, [state]);
  if (!job) return null;
  return (
    <>
      <Outcome job={job} />
      <div className={styles.actions}>
        {Object.entries(job.files).map(([key, file]) => (
          <LinkButton
            key={key}
            out
            look="main"
            href={file.url}
            download={file.filename}
            icon={<Download aria-hidden="true" />}
          >
            {t("download", { format: (file.format ?? job.format).toUpperCase(), bytes: bytes(file.bytes) })}
          </LinkButton>
        ))}
        <LinkButton href={`/app/jobs/${job.id}`}>{t("page")}</LinkButton>
        <Button onClick={onAgain}>{t("again")}</Button>
      </div>
    </>
  );
}

function Outcome({ job }: { job: Job }) {
  if (job.state === "queued" || job.state === "running") return <Progress job={job} />;
  if (job.error) return <ProblemPanel code={job.error.code} detail={job.error.detail} requestId={job.id} />;
  return (
    <>
      {job.state === "succeeded" ? <p className={styles.ready}>{t("ready")}</p> : null}
      <Warnings job={job} />
    </>
  );
}
