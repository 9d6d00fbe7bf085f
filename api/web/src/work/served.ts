import { useQuery } from "@tanstack/react-query";
import { answer, client, type Pool } from "../api";
import { useSession } from "../session/session";
import { useLimits } from "../studio/useStudio";

const ANY = "*";

/** Of the installed kinds those that a pool serves and, where its workers are told, that one of them can do. */
export function servedKinds(installed: readonly string[], pools: readonly Pool[]): ReadonlySet<string> {
  const serves = (pool: Pool, kind: string) =>
    (pool.kinds.includes(kind) || pool.kinds.includes(ANY)) &&
    (pool.workers.length === 0 || pool.workers.some((worker) => worker.kinds.includes(kind)));
  return new Set(installed.filter((kind) => pools.some((pool) => serves(pool, kind))));
}

/** The kinds of work that can be asked for here by who is here; undefined while nobody knows. */
export function useServed(): ReadonlySet<string> | undefined {
  const { may } = useSession();
  const limits = useLimits().data;
  const pools = useQuery({
    queryKey: ["served"],
    queryFn: async ({ signal }) => (await answer(client.GET("/v1/pools", { signal }))).pools,
    staleTime: 60_000,
  }).data;
  if (!limits || !pools) return undefined;
  return may("submit") && limits.submits ? servedKinds(limits.kinds, pools) : new Set();
}
