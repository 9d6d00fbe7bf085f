import { useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, client, type Schemas } from "../api";
import { Store, useStore } from "../app/store";
import { retryUnauthorized } from "../studio/sender";

export type Session = Schemas["Session"];
type Scope = "submit" | "read" | "admin";

/** Whether the reader asked for the form to sign in, although the page works without. */
export const wantsToSignIn = new Store(false);

/**
 * Whether the reader is just making the first key. From then on everybody needs one, and the page must not ask who the
 * reader is before its maker is signed in: it would lock itself, and the key's secret would be gone with it.
 */
export const makesFirstKey = new Store(false);

export function useSession() {
  const making = useStore(makesFirstKey);
  const query = useQuery({
    queryKey: ["session"],
    queryFn: ({ signal }) => answer(client.GET("/v1/session", { signal })),
    staleTime: 60_000,
    enabled: !making,
  });
  const wanted = useStore(wantsToSignIn);
  const session = query.data;
  const may = (scope: Scope): boolean => {
    const scopes: readonly string[] = session?.scopes ?? [];
    return scopes.includes(scope) || scopes.includes("admin");
  };
  return {
    query,
    session,
    may,
    admin: may("admin"),
    /** whether the form to sign in stands in the page's place */
    locked: wanted || (session !== undefined && !session.open && !session.signed_in),
  };
}

/** Trade a key for a session, and drop it; or end the session. All that was read as someone else is forgotten. */
export function useSigning() {
  const queries = useQueryClient();
  const settle = async (session: Session) => {
    wantsToSignIn.set(false);
    await queries.cancelQueries({ queryKey: ["session"] }); // an answer from before must not come after this one
    queries.setQueryData(["session"], session);
    void queries.resetQueries({ predicate: (query) => query.queryKey[0] !== "session" });
    if (session.signed_in) retryUnauthorized();
  };
  return {
    signIn: async (key: string) => settle(await answer(client.POST("/v1/session", { body: { key } }))),
    signOut: async () => {
      const { response } = await client.DELETE("/v1/session");
      if (!response.ok) return;
      await settle(await answer(client.GET("/v1/session")));
    },
  };
}
