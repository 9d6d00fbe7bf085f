import { useState } from "react";
import { useLate } from "../jobs/useLate";
import { QueryProblem } from "../problems/QueryProblem";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import styles from "./Chat.module.css";
import { HistoryRow } from "./HistoryRow";
import { t } from "./strings";
import { HOME } from "./useFocus";
import { useHistory } from "./useHistory";

interface Props {
  /** the conversation that the drawer shows otherwise */
  shown: string | null;
  onShow: (id: string | null) => void;
}

/** All conversations, with a search; each can be shown, renamed, exported and deleted. */
export function History({ shown, onShow }: Props) {
  const [q, setQ] = useState("");
  const [words, setWords] = useLate(q, setQ);
  const list = useHistory(q);
  const found = list.data?.pages.flatMap((page) => page.conversations) ?? [];
  return (
    <div className={styles.log}>
      <search>
        <Field label={t("history.search")}>
          {(control) => (
            <input
              {...control}
              {...HOME}
              type="search"
              maxLength={200}
              value={words}
              onChange={(event) => setWords(event.target.value)}
            />
          )}
        </Field>
      </search>
      {list.isError ? <QueryProblem error={list.error} onRetry={() => void list.refetch()} /> : null}
      {list.data && found.length === 0 ? (
        <p className={styles.soft}>{t(q ? "history.unfound" : "history.none")}</p>
      ) : null}
      <ul className={styles.list} aria-label={t("history")}>
        {found.map((one) => (
          <HistoryRow key={one.id} conversation={one} isShown={one.id === shown} onShow={onShow} />
        ))}
      </ul>
      {list.hasNextPage ? (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t("history.more")}
        </Button>
      ) : null}
    </div>
  );
}
