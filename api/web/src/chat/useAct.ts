import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, Problem } from "../api";
import { again, pause } from "../app/queries";
import { randomId } from "../random";
import type { Source } from "../work/SongPicker";
import { current, showConversation } from "./current";
import { putConversation, putMessage } from "./take";

/** What the reader does in a conversation. Each has a key of its own, so that it is done once however often it is sent. */
export type Act =
  | { do: "say"; text: string; source?: Source | null; after: number; key: string }
  | { do: "confirm"; number: number }
  | { do: "undo"; key: string }
  | { do: "regenerate"; key: string };

async function begin(autoRun: boolean) {
  const made = await answer(client.POST("/v1/conversations", { body: { name: "", auto_run: autoRun } }));
  showConversation(made.id);
  return made.id;
}

function send(id: string, act: Act) {
  const path = { conversation_id: id };
  switch (act.do) {
    case "say": {
      const { text, source, key } = act;
      const body = source ? { text, source } : { text };
      const params = { path, header: { "Idempotency-Key": key } };
      return answer(client.POST("/v1/conversations/{conversation_id}/messages", { params, body }));
    }
    case "confirm": {
      const body = { message: act.number };
      return answer(client.POST("/v1/conversations/{conversation_id}/confirm", { params: { path }, body }));
    }
    default: {
      const params = { path, header: { "Idempotency-Key": act.key } };
      return act.do === "undo"
        ? answer(client.POST("/v1/conversations/{conversation_id}/undo", { params }))
        : answer(client.POST("/v1/conversations/{conversation_id}/regenerate", { params }));
    }
  }
}

/** Does one thing after the other. What passes is tried again by itself; the rest is said, and can be tried again. */
export function useAct(autoRun: boolean) {
  const queries = useQueryClient();
  const [retryAt, setRetryAt] = useState<number | null>(null);
  const act = useMutation({
    mutationFn: async (asked: Act) => {
      setRetryAt(null);
      return send(current.get() ?? (await begin(autoRun)), asked);
    },
    retry: again,
    retryDelay: (failures, error) => {
      const wait = pause(failures, error);
      setRetryAt(Date.now() + wait);
      return wait;
    },
    onSuccess: ({ message, reply, conversation }) => {
      for (const one of [message, reply]) putMessage(queries, conversation.id, one);
      putConversation(queries, conversation);
    },
  });
  const failure = act.error ?? (act.isPending ? act.failureReason : null);
  return {
    pending: act.isPending ? act.variables : null,
    /** what was said, and is not among the messages yet */
    unsaid: act.isSuccess ? null : (act.variables ?? null),
    problem: failure instanceof Problem ? failure : failure ? new Problem("page_error", String(failure)) : null,
    retryAt: act.isPending ? retryAt : null,
    act: act.mutate,
    undo: () => act.mutate({ do: "undo", key: randomId() }),
    regenerate: () => act.mutate({ do: "regenerate", key: randomId() }),
    /** the same once more, which does nothing twice */
    again: () => act.variables && act.mutate(act.variables),
    drop: () => act.reset(),
  };
}
