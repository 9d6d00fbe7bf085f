import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, client, problemOf, type Schemas } from "../api";
import { putConversation } from "./take";

export type Summary = Schemas["ConversationSummary"];
export type Format = "markdown" | "json";

const LIMIT = 30;

/** Conversations, the one with the newest message first; `q` has words that are in their names or messages. */
export function useHistory(q: string) {
  return useInfiniteQuery({
    queryKey: ["conversations", q],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answer(client.GET("/v1/conversations", { params: { query: { q, limit: LIMIT, cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (before) => before,
  });
}

const path = (id: string) => ({ path: { conversation_id: id } });

/** What can be done with a conversation of the list. */
export function useHistoryActions(id: string) {
  const queries = useQueryClient();
  const rename = useMutation({
    mutationFn: (name: string) =>
      answer(client.PATCH("/v1/conversations/{conversation_id}", { params: path(id), body: { name } })),
    onSuccess: (changed) => putConversation(queries, changed),
  });
  const erase = useMutation({
    mutationFn: async () => {
      const { response, error } = await client.DELETE("/v1/conversations/{conversation_id}", { params: path(id) });
      if (!response.ok && response.status !== 404) throw problemOf(error, response);
    },
    onSuccess: () => {
      queries.removeQueries({ queryKey: ["conversation", id] });
      queries.removeQueries({ queryKey: ["messages", id] });
      void queries.invalidateQueries({ queryKey: ["conversations"] });
    },
  });
  const take = useMutation({
    mutationFn: async (format: Format) => {
      const params = { ...path(id), query: { format } };
      const call = client.GET("/v1/conversations/{conversation_id}/export", { params, parseAs: "blob" });
      return (await answer(call)) as unknown as Blob; // as it is read; its type is that of the JSON in it
    },
  });
  return { rename, erase, take };
}
