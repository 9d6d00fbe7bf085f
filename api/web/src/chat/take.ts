/** What a conversation's stream tells, put where the page reads it. */

import type { QueryClient } from "@tanstack/react-query";
import type { Schemas } from "../api";
import type { Conversation, Message, Pages } from "./useTalk";

type Standing = Schemas["MessageWorkflow"];

function parsed<T>(data: unknown, key: string): T | null {
  try {
    const told: unknown = JSON.parse(String(data));
    return typeof told === "object" && told !== null && key in told ? (told as T) : null;
  } catch {
    return null; // a stream that was cut within a line
  }
}

/** A message that is new, or has changed. */
export function putMessage(queries: QueryClient, id: string, message: Message): void {
  queries.setQueryData<Pages>(["messages", id], (held) => {
    const [first, ...rest] = held?.pages ?? [];
    if (!held || !first) return { pages: [{ messages: [message], next_cursor: null }], pageParams: [undefined] };
    const known = held.pages.some((page) => page.messages.some((one) => one.number === message.number));
    if (!known) {
      const messages = [message, ...first.messages].sort((one, other) => other.number - one.number);
      return { ...held, pages: [{ ...first, messages }, ...rest] };
    }
    const own = (one: Message) => (one.number === message.number ? message : one);
    return { ...held, pages: held.pages.map((page) => ({ ...page, messages: page.messages.map(own) })) };
  });
}

export function putConversation(queries: QueryClient, conversation: Conversation): void {
  queries.setQueryData(["conversation", conversation.id], conversation);
  void queries.invalidateQueries({ queryKey: ["conversations"] });
}

/** How a workflow stands now, in each message that speaks of it. */
function putStanding(queries: QueryClient, id: string, standing: Standing): void {
  const own = (one: Message) => (one.workflow_id === standing.workflow_id ? { ...one, workflow: standing } : one);
  queries.setQueryData<Pages>(
    ["messages", id],
    (held) => held && { ...held, pages: held.pages.map((page) => ({ ...page, messages: page.messages.map(own) })) },
  );
  if (standing.state !== "running") {
    void queries.invalidateQueries({ queryKey: ["workflow", standing.workflow_id] });
  }
}

export function tookMessage(queries: QueryClient, id: string, data: unknown): void {
  const told = parsed<Message>(data, "number");
  if (told) putMessage(queries, id, told);
}

export function tookConversation(queries: QueryClient, data: unknown): void {
  const told = parsed<Conversation>(data, "versions");
  if (told) putConversation(queries, told);
}

export function tookStanding(queries: QueryClient, id: string, data: unknown): void {
  const told = parsed<Standing>(data, "workflow_id");
  if (told) putStanding(queries, id, told);
}
