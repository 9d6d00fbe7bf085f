import { useQuery } from "@tanstack/react-query";
import { answer, client } from "../api";

/** What this service and key take. */
export function useLimits() {
  return useQuery({
    queryKey: ["limits"],
    queryFn: ({ signal }) => answer(client.GET("/v1/limits", { signal })),
    staleTime: 300_000,
  });
}

/** The models and the presets, which are models by what one wants. */
export function useModels() {
  return useQuery({
    queryKey: ["models"],
    queryFn: ({ signal }) => answer(client.GET("/v1/models", { signal })),
    staleTime: 300_000,
  });
}
