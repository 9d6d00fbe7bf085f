import { ChevronDown } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { bytes } from "../i18n";
import { Button } from "../ui/Button";
import { useParts } from "./context";
import styles from "./DownloadMenu.module.css";
import { stemName, t } from "./strings";

interface Props {
  open: boolean;
  onOpen: (open: boolean) => void;
}

/** All that can be taken home: the zip, and each file. A list of links that opens below its button. */
export function DownloadMenu({ open, onOpen }: Props) {
  const { job } = useParts();
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    if (!open) return;
    list.current?.querySelector("a")?.focus();
    const outside = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) onOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open, onOpen]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    onOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes the list from each of its links
    <div ref={box} className={styles.menu} onKeyDown={onKeyDown}>
      <Button aria-expanded={open} onClick={() => onOpen(!open)} icon={<ChevronDown aria-hidden="true" />}>
        {t("download")}
      </Button>
      {open ? (
        <ul ref={list} className={styles.list}>
          {job.archive ? (
            <li>
              <a href={job.archive.url} download={job.archive.filename}>
                <span>{t("download.all")}</span>
                <span className={styles.size}>{bytes(job.archive.bytes)}</span>
              </a>
            </li>
          ) : null}
          {Object.entries(job.files ?? {}).map(([key, file]) => (
            <li key={key}>
              <a href={file.url} download={file.filename}>
                <span>{stemName(file.stem ?? key)}</span>
                <span className={styles.size}>
                  {(file.format ?? "").toUpperCase()} {bytes(file.bytes)}
                </span>
              </a>
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
