import { History as HistoryIcon, SquarePen, X } from "lucide-react";
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";
import { announce } from "../app/announce";
import { closeDrawer } from "../app/drawer";
import { useStore } from "../app/store";
import { IconButton } from "../ui/Button";
import styles from "./Chat.module.css";
import { current, showConversation } from "./current";
import { History } from "./History";
import { t } from "./strings";
import { Talk } from "./Talk";
import { goHome, useKeptFocus } from "./useFocus";

/** The drawer: a conversation, or the list of all. Escape closes it, from where no part of it takes the key. */
export default function Chat() {
  const id = useStore(current);
  const [listed, setListed] = useState(false);
  const [turn, setTurn] = useState(0); // another conversation begins afresh; one that has just begun goes on
  const part = useRef<HTMLElement>(null);
  useKeptFocus(part);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the list and the messages each have a field
  useEffect(() => goHome(part.current), [listed]);
  const show = (next: string | null) => {
    showConversation(next);
    setTurn((last) => last + 1);
    setListed(false);
    goHome(part.current);
  };
  const onGone = useCallback(() => {
    showConversation(null);
    setTurn((last) => last + 1);
    announce(t("conversation.gone"));
  }, []);
  const onKey = (event: KeyboardEvent<HTMLElement>) => {
    if (event.key !== "Escape" || event.defaultPrevented || (event.target as Element).closest("dialog")) return;
    event.preventDefault();
    if (listed) setListed(false);
    else closeDrawer();
  };
  return (
    <aside ref={part} tabIndex={-1} className={styles.drawer} aria-label={t("title")} onKeyDown={onKey}>
      <header className={styles.head}>
        <h2>{listed ? t("history") : t("title")}</h2>
        <IconButton label={t("new")} onClick={() => show(null)}>
          <SquarePen aria-hidden="true" />
        </IconButton>
        <IconButton
          label={listed ? t("history.back") : t("history")}
          aria-expanded={listed}
          onClick={() => setListed(!listed)}
        >
          <HistoryIcon aria-hidden="true" />
        </IconButton>
        <IconButton label={t("close")} aria-keyshortcuts="Escape" onClick={closeDrawer}>
          <X aria-hidden="true" />
        </IconButton>
      </header>
      {listed ? <History shown={id} onShow={show} /> : <Talk key={turn} id={id} onGone={onGone} />}
    </aside>
  );
}
