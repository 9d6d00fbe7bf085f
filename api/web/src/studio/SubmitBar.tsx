import { useEffect } from "react";
import { Button } from "../ui/Button";
import styles from "./SubmitBar.module.css";
import type { Song } from "./song";
import { t } from "./strings";

interface Props {
  songs: readonly Song[];
  onSubmit: () => void;
}

/** The one main button. It may be pressed while bytes still move: the jobs follow as the songs arrive. */
export function SubmitBar({ songs, onSubmit }: Props) {
  const ready = songs.filter((song) => !song.options && song.phase !== "failed");
  const moving = songs.some((song) => ["waiting", "uploading", "submitting", "pausing"].includes(song.phase));
  useEffect(() => {
    if (!moving) return;
    const hold = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", hold);
    return () => window.removeEventListener("beforeunload", hold);
  }, [moving]);
  return (
    <div className={styles.bar}>
      <Button look="main" disabled={ready.length === 0} onClick={onSubmit}>
        {ready.length > 0 ? t("submit", { count: ready.length }) : t("submit.none")}
      </Button>
    </div>
  );
}
