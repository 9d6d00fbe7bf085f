import { useQuery } from "@tanstack/react-query";
import { answer, client, type Job, Problem } from "../api";

const ENDED = new Set([401, 403, 410]);

async function fetched(url: string | undefined, signal: AbortSignal): Promise<Response> {
  if (!url) throw new Problem("storage_missing", "the job has no such file");
  return fetch(url, { signal, credentials: "omit" });
}

/** A file of the job that is JSON. Where its signed URL has ended, the job is read again for another one. */
export function useJsonFile<T>(job: Job | undefined, name: string, wanted = true) {
  const file = job?.files?.[name];
  return useQuery({
    queryKey: ["file", file?.sha256 ?? name],
    enabled: wanted && file !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }): Promise<T> => {
      let response = await fetched(file?.url, signal);
      if (ENDED.has(response.status)) {
        const path = { job_id: job?.id ?? "" };
        const fresh = await answer(client.GET("/v1/jobs/{job_id}", { params: { path }, signal }));
        response = await fetched(fresh.files[name]?.url, signal);
      }
      if (!response.ok) throw new Problem(`http_${response.status}`, response.statusText, response.status);
      return (await response.json()) as T;
    },
  });
}
