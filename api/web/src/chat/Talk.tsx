import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, Problem } from "../api";
import { WORDS } from "../app/drawer";
import { QueryProblem } from "../problems/QueryProblem";
import { randomId } from "../random";
import { Button } from "../ui/Button";
import type { Source } from "../work/SongPicker";
import styles from "./Chat.module.css";
import { Composer } from "./Composer";
import { draft } from "./current";
import { Lead } from "./Lead";
import { MessageRow } from "./MessageRow";
import { providersOf } from "./reply";
import { t } from "./strings";
import { putConversation } from "./take";
import { Unsaid } from "./Unsaid";
import { useAct } from "./useAct";
import { useBottom } from "./useBottom";
import { useSeen } from "./useSeen";
import { useSpoken } from "./useSpoken";
import { useStream } from "./useStream";
import { type Message, useTalk } from "./useTalk";

interface Props {
  /** null: it begins with the first message */
  id: string | null;
  onGone: () => void;
}

/** One conversation: its messages, and the field for the next one. */
export function Talk({ id, onGone }: Props) {
  const live = useStream(id, onGone);
  const { conversation, pages, messages } = useTalk(id, live);
  const [autoRun, setAutoRun] = useAutoRun(id, conversation.data?.auto_run);
  const acts = useAct(autoRun);
  const seen = useSeen(id === null, pages.isSuccess, messages);
  useSpoken(messages, seen, conversation.data);
  const newest = messages.at(-1);
  const last = newest?.number ?? 0;
  const unsaid = acts.unsaid?.do === "say" && acts.unsaid.after >= last ? acts.unsaid : null;
  const log = useBottom(`${id} ${last} ${newest?.text.length} ${unsaid?.key} ${acts.problem?.code}`);
  const gone = conversation.error instanceof Problem && conversation.error.code === "conversation_not_found";
  useEffect(() => {
    if (gone) onGone();
  }, [gone, onGone]);

  const say = (text: string, source: Source | null = null) =>
    acts.act({ do: "say", text, source, after: last, key: randomId() });
  const back = (text: string) => {
    acts.drop();
    if (text) draft.set(text);
    document.getElementById(WORDS)?.focus();
  };
  const player = newestOf(messages);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls it by keys */}
      <section ref={log} className={styles.log} aria-label={t("messages")} tabIndex={0}>
        {id === null && !unsaid ? <Lead onSay={say} /> : null}
        {conversation.isError && !gone ? (
          <QueryProblem error={conversation.error} onRetry={() => void conversation.refetch()} />
        ) : null}
        {pages.hasNextPage ? (
          <Button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
            {t("older")}
          </Button>
        ) : null}
        <ol className={styles.messages}>
          {messages.map((message) => (
            <MessageRow
              key={message.number}
              message={message}
              messages={messages}
              conversation={conversation.data}
              open={message.number === player}
              fresh={message.number > seen}
              acts={acts}
              onSay={say}
              onBack={back}
            />
          ))}
        </ol>
        <Unsaid unsaid={unsaid} acts={acts} isWritten={newest?.writing ?? false} onBack={back} />
      </section>
      <Composer
        busy={acts.pending !== null}
        autoRun={autoRun}
        onAutoRun={setAutoRun}
        onSay={say}
        providers={conversation.data ? providersOf(conversation.data) : null}
      />
    </>
  );
}

/** The newest message that has a result: its player is open. */
function newestOf(messages: readonly Message[]): number | undefined {
  return messages.findLast((one) => one.workflow_id || one.compared.length > 0)?.number;
}

/** Whether plans run at once: as the conversation says, and before it begins as its reader has wished. */
function useAutoRun(id: string | null, held: boolean | undefined): [boolean, (next: boolean) => void] {
  const queries = useQueryClient();
  const [wished, setWished] = useState<boolean | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another answer of the service ends the wish
  useEffect(() => {
    if (held !== undefined) setWished(null);
  }, [held, id]);
  const change = (next: boolean) => {
    setWished(next);
    if (!id) return;
    const params = { path: { conversation_id: id } };
    void answer(client.PATCH("/v1/conversations/{conversation_id}", { params, body: { auto_run: next } })).then(
      (changed) => putConversation(queries, changed),
      () => setWished(null),
    );
  };
  return [wished ?? held ?? false, change];
}
