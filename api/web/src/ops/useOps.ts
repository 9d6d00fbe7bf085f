import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, client, type Pool, Problem, problemOf, type Schemas } from "../api";

const OFTEN_MS = 5000;
const SELDOM_MS = 60_000;
const MONTH_MS = 30 * 86_400_000;

export function usePools() {
  return useQuery({
    queryKey: ["pools"],
    queryFn: async ({ signal }) => (await answer(client.GET("/v1/pools", { signal }))).pools,
    refetchInterval: OFTEN_MS,
  });
}

/** Have a pool take no new work, and have it take work again. Both answer with the pool as it is then. */
export function useDraining() {
  const queries = useQueryClient();
  const settle = async (changed: Pool) => {
    await queries.cancelQueries({ queryKey: ["pools"] }); // an answer from before must not come after this one
    queries.setQueryData<Pool[]>(["pools"], (pools) =>
      pools?.map((pool) => (pool.name === changed.name ? changed : pool)),
    );
    void queries.invalidateQueries({ queryKey: ["pools"] });
  };
  const drain = useMutation({
    mutationFn: ({ name, why }: { name: string; why: string }) =>
      answer(client.POST("/v1/pools/{name}:drain", { params: { path: { name } }, body: { why } })),
    onSuccess: settle,
  });
  const resume = useMutation({
    mutationFn: (name: string) => answer(client.POST("/v1/pools/{name}:resume", { params: { path: { name } } })),
    onSuccess: settle,
  });
  return { drain, resume };
}

/** What works. The answer of a service that is unavailable has status 503, and the same form. */
export function useHealth() {
  return useQuery({
    queryKey: ["health"],
    queryFn: async ({ signal }): Promise<Schemas["Health"]> => {
      const { data, error, response } = await client.GET("/healthz/ready", { signal });
      const told = (data ?? error) as Schemas["Health"] | undefined;
      if (!told || !("parts" in told)) throw problemOf(error, response);
      return told;
    },
    refetchInterval: OFTEN_MS,
  });
}

export function useFailures() {
  return useQuery({
    queryKey: ["failures"],
    queryFn: async ({ signal }) => (await answer(client.GET("/v1/failures", { signal }))).failures,
    refetchInterval: SELDOM_MS,
  });
}

/** What was used in the last 30 days, day by day. */
export function useUsage() {
  return useQuery({
    queryKey: ["usage"],
    queryFn: ({ signal }) => {
      const since = new Date(Date.now() - MONTH_MS).toISOString();
      return answer(client.GET("/v1/usage/series", { params: { query: { since, step: "day" } }, signal }));
    },
    refetchInterval: SELDOM_MS,
  });
}

export function useKeys() {
  const queries = useQueryClient();
  const list = useQuery({
    queryKey: ["keys"],
    queryFn: ({ signal }) => answer(client.GET("/v1/keys", { signal })),
  });
  const settle = () => void queries.invalidateQueries({ queryKey: ["keys"] });
  const make = useMutation({
    mutationFn: (body: Schemas["KeyForm"]) => answer(client.POST("/v1/keys", { body })),
    onSuccess: settle,
  });
  const revoke = useMutation({
    mutationFn: async (id: string) => {
      const { error, response } = await client.DELETE("/v1/keys/{key_id}", { params: { path: { key_id: id } } });
      if (!response.ok) throw problemOf(error, response);
    },
    onSuccess: settle,
  });
  return { list, make, revoke };
}

export function problem(error: unknown): Problem | null {
  return error instanceof Problem ? error : null;
}
