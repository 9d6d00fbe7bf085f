import { Music, Upload } from "lucide-react";
import { type ReactNode, useId, useRef } from "react";
import { bytes, span } from "../i18n";
import styles from "./DropZone.module.css";
import { t } from "./strings";
import { usePageDrop } from "./usePageDrop";

interface Props {
  /** null while the limits are not known */
  maxBytes: number | null;
  maxSeconds: number | null;
  disabled?: boolean;
  onFiles: (files: File[]) => void;
  children?: ReactNode;
}

/** What the file dialog shows first; the service reads more than that. */
const ACCEPT = "audio/*,video/*,.flac,.opus,.aiff,.aif,.m4a,.mka,.wv,.ape";

/** Whether this is a phone or a tablet, where nothing is dropped. */
function touched(): boolean {
  return window.matchMedia?.("(hover: none) and (pointer: coarse)").matches ?? false;
}

/** Takes files that are dropped anywhere on the page, chosen in the dialog, or pasted. */
export function DropZone({ maxBytes, maxSeconds, disabled, onFiles, children }: Props) {
  const over = usePageDrop(onFiles, !disabled);
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className={styles.zone} data-over={over || undefined}>
      <div className={styles.icon} aria-hidden="true">
        {over ? <Upload /> : <Music />}
      </div>
      <p className={styles.title}>{over ? t("drop.now") : t(touched() ? "drop.touch" : "drop")}</p>
      <div className={styles.actions}>
        <label className={styles.choose} htmlFor={id}>
          <input
            ref={input}
            id={id}
            type="file"
            multiple
            accept={ACCEPT}
            disabled={disabled}
            onChange={(event) => {
              onFiles(Array.from(event.target.files ?? []));
              event.target.value = ""; // the same file may be chosen again
            }}
          />
          <span>{t("drop.choose")}</span>
        </label>
        {children}
      </div>
      {maxBytes !== null && maxSeconds !== null ? (
        <p className={styles.limits}>{t("drop.limits", { bytes: bytes(maxBytes), span: span(maxSeconds) })}</p>
      ) : null}
    </div>
  );
}
