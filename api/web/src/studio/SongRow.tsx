import { X } from "lucide-react";
import type { Schemas } from "../api";
import { bytes, clock, number, span } from "../i18n";
import { ProblemPanel } from "../problems/ProblemPanel";
import { wantsToSignIn } from "../session/session";
import { Bar } from "../ui/Bar";
import { IconButton } from "../ui/Button";
import styles from "./SongRow.module.css";
import { remove, reopen, retry } from "./sender";
import { type Song, sizeOf } from "./song";
import { t } from "./strings";

interface Props {
  song: Song;
  limits: Schemas["Limits"] | undefined;
  onChooseOther: () => void;
}

/** A song on its way to the service, by the bytes that really went. */
export function SongRow({ song, limits, onChooseOther }: Props) {
  const size = sizeOf(song);
  const long = song.seconds !== null && limits && song.seconds > limits.max_duration_seconds;
  const sending = song.phase === "uploading" || (song.phase === "pausing" && song.sent > 0 && !song.uploadId);
  return (
    <li className={styles.row}>
      <div className={styles.head}>
        <span className={styles.name}>{song.name}</span>
        <span className={styles.facts}>{facts(song)}</span>
        <IconButton label={t("song.remove", { name: song.name })} onClick={() => remove(song.id)}>
          <X />
        </IconButton>
      </div>
      {size !== null && sending ? (
        <Bar
          value={size ? song.sent / size : null}
          label={t("song.progress", { name: song.name })}
          text={`${number((song.sent / (size || 1)) * 100, 0)} %`}
        />
      ) : null}
      {song.tries > 1 && song.phase === "uploading" ? (
        <p className={styles.note}>{t("song.again", { count: song.tries })}</p>
      ) : null}
      {long ? <p className={styles.warn}>{t("song.long", { span: span(limits.max_duration_seconds) })}</p> : null}
      {song.problem ? (
        <ProblemPanel
          code={song.problem.code}
          detail={song.problem.detail}
          requestId={song.problem.requestId}
          retryAt={song.retryAt}
          actions={{
            retry: () => retry(song.id),
            again: () => retry(song.id),
            upload_again: () => retry(song.id),
            refresh: () => retry(song.id),
            change: () => reopen(song.id),
            choose_other: () => {
              remove(song.id);
              onChooseOther();
            },
            use_upload: () => {
              remove(song.id);
              onChooseOther();
            },
            sign_in: () => wantsToSignIn.set(true),
          }}
        />
      ) : null}
    </li>
  );
}

function facts(song: Song): string {
  const size = sizeOf(song);
  const parts: string[] = [];
  if (song.phase === "uploading" && size !== null) {
    parts.push(t("song.uploading", { sent: bytes(song.sent), total: bytes(size) }));
    if (song.rate !== null) parts.push(t("song.rate", { rate: bytes(song.rate) }));
    return parts.join(" · ");
  }
  if (song.seconds !== null) parts.push(clock(song.seconds));
  if (size !== null) parts.push(bytes(size));
  if (song.phase === "waiting") parts.push(t("song.waiting"));
  if (song.phase === "held") parts.push("url" in song.source ? t("song.link") : t("song.held"));
  if (song.phase === "submitting") parts.push(t("song.submitting"));
  if (song.phase === "pausing") parts.push(t("song.pausing"));
  return parts.join(" · ");
}
