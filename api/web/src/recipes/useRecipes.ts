import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, client, type Schemas } from "../api";
import { randomId } from "../random";

export function useRecipes() {
  return useQuery({
    queryKey: ["recipes"],
    queryFn: async ({ signal }) => (await answer(client.GET("/v1/recipes", { signal }))).recipes,
    staleTime: 300_000,
  });
}

/** Starts a workflow. Sent again after a failure, the same request makes no second one. */
export function useStartWorkflow() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ body, key }: { body: Schemas["WorkflowForm"]; key: string }) =>
      answer(client.POST("/v1/workflows", { body, params: { header: { "Idempotency-Key": key } } })),
    onSuccess: (made) => {
      queries.setQueryData(["workflow", made.id], made);
      void queries.invalidateQueries({ queryKey: ["workflows"] });
    },
  });
}

export const newKey = randomId;
