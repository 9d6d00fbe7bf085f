import { Download, Link2Off } from "lucide-react";
import { type Job, Problem, type Schemas } from "../api";
import { Page } from "../app/Page";
import { Shell } from "../app/Shell";
import { bytes, moment } from "../i18n";
import { Files } from "../jobs/Files";
import { PlayerPlace } from "../jobs/PlayerPlace";
import { LIVE } from "../jobs/useJobs";
import { QueryProblem } from "../problems/QueryProblem";
import { Empty } from "../ui/Empty";
import { LinkButton } from "../ui/LinkButton";
import styles from "./Shared.module.css";
import { t } from "./strings";
import { useShared } from "./useShared";

const GONE = new Set(["job_not_found", "url_expired", "url_invalid", "not_found"]);

type SharedJob = Schemas["SharedJob"];

/** What the player needs of a job, from what a shared page is told. */
function playable(token: string, shared: SharedJob): Job {
  const { files, peaks, preview, source, state, name } = shared;
  return {
    id: token,
    kind: shared.kind,
    state,
    files,
    stems: files,
    peaks,
    preview,
    source,
    filename: name,
  } as unknown as Job;
}

/** One job for whoever has its link: to listen and to download, nothing else. */
export function Shared({ token }: { token: string }) {
  const query = useShared(token);
  const shared = query.data;
  if (query.error instanceof Problem && GONE.has(query.error.code)) {
    return (
      <Shell bare>
        <Page title={t("title")}>
          <Empty icon={<Link2Off />} title={t("gone")}>
            <p>{t("gone.words")}</p>
          </Empty>
        </Page>
      </Shell>
    );
  }
  return (
    <Shell bare>
      <Page
        key={shared?.name}
        picture={shared?.cover?.url}
        title={shared?.name ?? t("title")}
        lead={shared ? t("until", { moment: moment(shared.expires_at) }) : undefined}
        actions={
          shared?.archive ? (
            <LinkButton
              out
              look="main"
              href={shared.archive.url}
              download={shared.archive.filename}
              icon={<Download aria-hidden="true" />}
            >
              {t("zip", { bytes: bytes(shared.archive.bytes) })}
            </LinkButton>
          ) : undefined
        }
      >
        {query.isError && !shared ? <QueryProblem error={query.error} onRetry={() => void query.refetch()} /> : null}
        {shared ? <Stems token={token} shared={shared} /> : null}
      </Page>
    </Shell>
  );
}

function Stems({ token, shared }: { token: string; shared: SharedJob }) {
  if (LIVE.has(shared.state)) return <p>{t("waiting")}</p>;
  if (Object.keys(shared.files).length === 0) return <p>{t("none")}</p>;
  return (
    <div className={styles.stems}>
      {shared.kind === "separate" ? <PlayerPlace job={playable(token, shared)} /> : null}
      <Files files={shared.files} name={shared.name} />
    </div>
  );
}
