import type { QueryClient } from "@tanstack/react-query";
import { client, reachable } from "../api";
import { connection } from "./connection";
import { tookMove, tookProgress } from "./take";

/** How soon a stream that the service refused is asked for again, and how soon somebody who does not answer. */
const REOPEN_MS = 30_000;
const PROBE_MS = 3000;

/**
 * Follow all jobs of the caller by one stream. The browser opens it again by itself after a cut, with the last event's
 * id; one that the service refuses (`too_many_streams`) is asked for again later. Meanwhile the page polls.
 * `everyone` follows the jobs of all keys, for admins. Returns what ends it.
 */
export function follow(queries: QueryClient, everyone: boolean): () => void {
  let stream: EventSource | null = null;
  let timer = 0;
  let ended = false;

  const settle = () => {
    const live = stream?.readyState === EventSource.OPEN;
    connection.set(live ? "live" : reachable.get() ? "polling" : "offline");
  };
  const probe = async () => {
    if (ended || stream?.readyState === EventSource.OPEN) return;
    await client.GET("/healthz/live").catch(() => {}); // sets `reachable`
    settle();
    if (stream?.readyState === EventSource.CLOSED && reachable.get()) return later(open, REOPEN_MS);
    if (stream?.readyState !== EventSource.OPEN) later(probe, PROBE_MS);
  };
  const later = (step: () => void, after: number) => {
    window.clearTimeout(timer);
    if (!ended) timer = window.setTimeout(step, after);
  };
  const open = () => {
    stream?.close();
    stream = new EventSource(everyone ? "/v1/events?all=true" : "/v1/events");
    stream.onopen = () => {
      window.clearTimeout(timer);
      reachable.set(true);
      settle();
      void queries.invalidateQueries({ predicate: isOfJobs }); // what was missed meanwhile
    };
    stream.onerror = () => void probe();
    stream.addEventListener("state", (event) => tookMove(queries, event.data));
    stream.addEventListener("progress", (event) => tookProgress(queries, event.data));
    stream.addEventListener("deleted", (event) => tookMove(queries, event.data));
  };
  const back = () => {
    // the stream may wait for seconds before it tries again: the network is back now
    if (stream?.readyState !== EventSource.OPEN) open();
  };

  open();
  const unfollow = reachable.subscribe(settle);
  window.addEventListener("online", back);
  return () => {
    ended = true;
    window.clearTimeout(timer);
    window.removeEventListener("online", back);
    unfollow();
    stream?.close();
    connection.set("starting");
  };
}

function isOfJobs(query: { queryKey: readonly unknown[] }): boolean {
  return ["job", "jobs", "workflow", "workflows"].includes(String(query.queryKey[0]));
}
