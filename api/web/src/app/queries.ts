import { QueryCache, QueryClient } from "@tanstack/react-query";
import { isNetwork, Problem } from "../api";
import { actionOf } from "../problems/known";

const LONGEST_MS = 30_000;
const FEW = 3;

/** Tries again what passes: for ever where nobody answers, a few times where the service says it is busy. */
export function again(failures: number, error: unknown): boolean {
  if (isNetwork(error)) return true;
  return failures < FEW && error instanceof Problem && actionOf(error) === "wait";
}

export function pause(failures: number, error: unknown): number {
  const told = error instanceof Problem ? error.retryAfter : null;
  return told === null ? Math.min(LONGEST_MS, 1000 * 2 ** failures) : told * 1000;
}

export const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // a session that ended shows the form to sign in
      if (error instanceof Problem && error.code === "unauthorized" && query.queryKey[0] !== "session") {
        void queries.invalidateQueries({ queryKey: ["session"] });
      }
    },
  }),
  defaultOptions: {
    // a service on this machine answers without any network: only an answer tells who can be reached
    queries: { retry: again, retryDelay: pause, networkMode: "always", staleTime: 2000 },
    mutations: { networkMode: "always" },
  },
});
