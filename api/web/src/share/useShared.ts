import { queryOptions, useQuery } from "@tanstack/react-query";
import { answer, client } from "../api";
import { LIVE } from "../jobs/useJobs";

const POLL_MS = 5000;

export function sharedQuery(token: string) {
  return queryOptions({
    queryKey: ["shared", token],
    queryFn: ({ signal }) => answer(client.GET("/v1/shared/{token}", { params: { path: { token } }, signal })),
  });
}

/** The job of a shared link. */
export function useShared(token: string) {
  return useQuery({
    ...sharedQuery(token),
    refetchInterval: ({ state }) => (state.data && LIVE.has(state.data.state) ? POLL_MS : false),
  });
}
