import { useEffect, useRef } from "react";
import { useLocation } from "wouter";
import { Problem } from "../api";
import { announce } from "../app/announce";
import { Page } from "../app/Page";
import { prefer, preferences } from "../app/preferences";
import { useStore } from "../app/store";
import { bytes, span } from "../i18n";
import { RecentJobs } from "../jobs/RecentJobs";
import { QueryProblem } from "../problems/QueryProblem";
import { Card } from "../ui/Card";
import { DemoSong } from "./DemoSong";
import { DropZone } from "./DropZone";
import { LinkForm } from "./LinkForm";
import { OptionsForm } from "./OptionsForm";
import { type JobOptions, remembered } from "./options";
import { SongRow } from "./SongRow";
import styles from "./Studio.module.css";
import { SubmitBar } from "./SubmitBar";
import { addFiles, addLink, onSubmitted, refuse, submitAll } from "./sender";
import { songs } from "./songs";
import { t } from "./strings";
import { useLimits, useModels } from "./useStudio";

/** Where songs come in. */
export function Studio() {
  const [, navigate] = useLocation();
  const limits = useLimits();
  const models = useModels();
  const all = useStore(songs);
  const zone = useRef<HTMLDivElement>(null);
  const alone = useRef(false); // whether one song was asked for: of several, the last is alone in the list, too
  const options = remembered(useStore(preferences).options);
  const open = all.filter((song) => song.phase !== "submitted");
  const demoModel = models.data?.models.some((model) => model.name === "demo") ? "demo" : null;
  const most = limits.data?.max_upload_bytes ?? null;

  useEffect(() => {
    // one song alone: its page is where its reader wants to be
    onSubmitted((_, job) => {
      if (alone.current) navigate(`/app/jobs/${job.id}`);
      songs.set(songs.get().filter((song) => song.phase !== "submitted"));
    });
    return () => onSubmitted(() => {});
  }, [navigate]);

  const take = (files: File[]) => {
    const fits = files.filter((file) => most === null || file.size <= most);
    for (const file of files.filter((each) => !fits.includes(each))) {
      refuse(file, new Problem("file_too_large", t("song.size", { bytes: bytes(file.size), limit: bytes(most ?? 0) })));
    }
    addFiles(fits);
    if (files.length > 0) announce(t("song.added", { count: files.length }));
  };
  const setOptions = (next: JobOptions) => prefer({ options: { ...next } });
  const submit = () => {
    submitAll(options);
    alone.current = songs.get().filter((song) => song.options).length === 1;
  };
  const choose = () => zone.current?.querySelector("input")?.click();

  return (
    <Page title={t("title")} lead={t("lead")}>
      <div className={styles.studio}>
        <div className={styles.main}>
          <div ref={zone}>
            <DropZone
              maxBytes={most}
              maxSeconds={limits.data?.max_duration_seconds ?? null}
              disabled={limits.data?.submits === false}
              onFiles={take}
            >
              {all.length === 0 ? <DemoSong onFile={(file) => addFiles([file], demoModel)} /> : null}
            </DropZone>
          </div>
          {limits.data?.url_sources ? <LinkForm onLink={addLink} /> : null}
          {open.length > 0 ? (
            <Card title={t("songs.title")}>
              <ul>
                {open.map((song) => (
                  <SongRow key={song.id} song={song} limits={limits.data} onChooseOther={choose} />
                ))}
              </ul>
            </Card>
          ) : null}
        </div>
        <div className={styles.side}>
          {models.isError ? <QueryProblem error={models.error} onRetry={() => void models.refetch()} /> : null}
          {models.data ? (
            <OptionsForm {...models.data} limits={limits.data} value={options} onChange={setOptions} />
          ) : null}
          <SubmitBar songs={open} onSubmit={submit} />
          {limits.data ? (
            <p className={styles.fine}>
              {limits.data.files_seconds ? t("kept", { span: span(limits.data.files_seconds) }) : null}{" "}
              {limits.data.minutes_per_day ? t("quota", { minutes: span(limits.data.minutes_per_day * 60) }) : null}
            </p>
          ) : null}
        </div>
      </div>
      <RecentJobs />
    </Page>
  );
}
