import {
  type InfiniteData,
  infiniteQueryOptions,
  queryOptions,
  useInfiniteQuery,
  useQuery,
} from "@tanstack/react-query";
import { answer, client, type Schemas } from "../api";

export type Conversation = Schemas["Conversation"];
export type Message = Schemas["Message"];
export type Pages = InfiniteData<Schemas["MessagePage"], string | undefined>;

const LIMIT = 50;
const POLL_MS = 3000;

const path = (id: string) => ({ path: { conversation_id: id } });

export function conversationQuery(id: string) {
  return queryOptions({
    queryKey: ["conversation", id],
    queryFn: ({ signal }) => answer(client.GET("/v1/conversations/{conversation_id}", { params: path(id), signal })),
  });
}

export function messagesQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ["messages", id],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answer(
        client.GET("/v1/conversations/{conversation_id}/messages", {
          params: { ...path(id), query: { limit: LIMIT, cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** A conversation and its messages, the oldest first. They are asked for every few seconds where no stream tells. */
export function useTalk(id: string | null, live: boolean) {
  const refetchInterval = live ? (false as const) : POLL_MS;
  const conversation = useQuery({ ...conversationQuery(id ?? ""), enabled: id !== null, refetchInterval });
  const pages = useInfiniteQuery({ ...messagesQuery(id ?? ""), enabled: id !== null, refetchInterval });
  const messages = pages.data?.pages.flatMap((page) => page.messages).reverse() ?? [];
  return { conversation, pages, messages };
}
