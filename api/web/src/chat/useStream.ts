import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { tookProgress } from "../events/take";
import { tookConversation, tookMessage, tookStanding } from "./take";
import { conversationQuery, messagesQuery } from "./useTalk";

const REOPEN_MS = 30_000;
const SOON_MS = 3000;

/**
 * Follow a conversation by its stream, from where it stood when it was read. The browser opens the stream again by
 * itself after a cut, with the last event's id; one that the service refuses is asked for again later, and meanwhile
 * the page polls. Says whether the stream tells now.
 */
export function useStream(id: string | null, onGone: () => void): boolean {
  const queries = useQueryClient();
  const [live, setLive] = useState(true); // until it is refused
  useEffect(() => {
    if (!id) return;
    let stream: EventSource | null = null;
    let timer = 0;
    let ended = false;
    const later = (after: number) => {
      window.clearTimeout(timer);
      if (!ended) timer = window.setTimeout(open, after);
    };
    const open = async () => {
      // what was missed meanwhile comes with the messages: the stream goes on from the conversation that is read first
      const read = await queries.fetchQuery({ ...conversationQuery(id), staleTime: 0 }).catch(() => null);
      if (ended) return;
      if (!read) return later(SOON_MS);
      await queries.invalidateQueries({ queryKey: messagesQuery(id).queryKey });
      if (ended) return;
      stream = new EventSource(`/v1/conversations/${id}/events?after=${read.last_event_id}`);
      stream.onopen = () => setLive(true);
      stream.onerror = () => {
        setLive(false);
        if (stream?.readyState === EventSource.CLOSED) later(REOPEN_MS);
      };
      stream.addEventListener("message", (event) => tookMessage(queries, id, event.data));
      stream.addEventListener("conversation", (event) => tookConversation(queries, event.data));
      stream.addEventListener("workflow", (event) => tookStanding(queries, id, event.data));
      stream.addEventListener("progress", (event) => tookProgress(queries, event.data));
      stream.addEventListener("deleted", onGone);
    };
    void open();
    return () => {
      ended = true;
      window.clearTimeout(timer);
      stream?.close();
      setLive(true);
    };
  }, [id, queries, onGone]);
  return live;
}
