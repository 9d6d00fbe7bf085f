import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, client, problemOf, type Schemas } from "../api";
import { useStore } from "../app/store";
import { connection } from "../events/connection";
import { randomId } from "../random";

export type Workflow = Schemas["Workflow"];
export type WorkflowSummary = Schemas["WorkflowSummary"];

const POLL_MS = 3000;
const LIMIT = 20;

/**
 * One workflow. Events of its jobs change what is shown of them at once (see `events/take`); the whole, which no event
 * has, is asked for every few seconds while it runs.
 */
export function useWorkflow(id: string) {
  return useQuery({
    queryKey: ["workflow", id],
    queryFn: ({ signal }) =>
      answer(client.GET("/v1/workflows/{workflow_id}", { params: { path: { workflow_id: id } }, signal })),
    refetchInterval: ({ state }) => (!state.data || state.data.state === "running" ? POLL_MS : false),
  });
}

/** All workflows of who is here, newest first, page by page. */
export function useWorkflows() {
  const polled = useStore(connection) !== "live";
  return useInfiniteQuery({
    queryKey: ["workflows"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answer(client.GET("/v1/workflows", { params: { query: { limit: LIMIT, cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: ({ state }) => {
      const runs = state.data?.pages.some((page) => page.workflows.some((one) => one.state === "running"));
      return runs ? (polled ? POLL_MS : 2 * POLL_MS) : false;
    },
  });
}

/** What can be done with a workflow. */
export function useWorkflowActions(id: string) {
  const queries = useQueryClient();
  const path = { path: { workflow_id: id } };
  const settle = (workflow?: Workflow) => {
    if (workflow) queries.setQueryData(["workflow", workflow.id], workflow);
    void queries.invalidateQueries({ queryKey: ["workflows"] });
    void queries.invalidateQueries({ queryKey: ["jobs"] });
  };
  const cancel = useMutation({
    mutationFn: () => answer(client.POST("/v1/workflows/{workflow_id}/cancel", { params: path })),
    onSuccess: settle,
  });
  const retry = useMutation({
    mutationFn: () =>
      answer(
        client.POST("/v1/workflows/{workflow_id}/retry", {
          params: { ...path, header: { "Idempotency-Key": randomId() } },
        }),
      ),
    onSuccess: settle,
  });
  const erase = useMutation({
    mutationFn: async () => {
      const { response, error } = await client.DELETE("/v1/workflows/{workflow_id}", { params: path });
      if (!response.ok && response.status !== 404) throw problemOf(error, response);
    },
    onSuccess: () => {
      queries.removeQueries({ queryKey: ["workflow", id] });
      settle();
    },
  });
  return { cancel, retry, erase };
}
