/** Fetches ranges of signed URLs, which end after a while: then the job is read again, once, for another one. */

import { answer, client, type Job } from "../api";

const ENDED = new Set([401, 403, 410]);
const JOB_ID = /^[0-9a-f]{32}$/;

/** The job with fresh URLs. On a shared page its id is the page's token. */
async function reread(id: string): Promise<Job> {
  if (JOB_ID.test(id)) return answer(client.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id } } }));
  const shared = await answer(client.GET("/v1/shared/{token}", { params: { path: { token: id } } }));
  return { ...shared, id, stems: shared.files } as unknown as Job;
}

export class FetchError extends Error {
  constructor(
    readonly status: number,
    readonly url: string,
  ) {
    super(`${status} of ${new URL(url, location.href).pathname}`);
    this.name = "FetchError";
  }
}

export class Urls {
  private fresh: Promise<Job> | null = null;

  /** `read` gives the job with fresh URLs. */
  constructor(
    private job: Job,
    private readonly read: (id: string) => Promise<Job> = reread,
  ) {}

  /** Bytes `from` to `to` (exclusive) of what `pick` finds in the job; all of it without a range. */
  async get(
    pick: (job: Job) => string | undefined,
    range?: { from: number; to: number },
    signal?: AbortSignal,
  ): Promise<ArrayBuffer> {
    try {
      return await this.fetched(pick, range, signal);
    } catch (error) {
      if (!(error instanceof FetchError) || !ENDED.has(error.status)) throw error;
      this.fresh ??= this.read(this.job.id).finally(() => {
        this.fresh = null;
      });
      this.job = await this.fresh;
      return this.fetched(pick, range, signal);
    }
  }

  private async fetched(
    pick: (job: Job) => string | undefined,
    range: { from: number; to: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ArrayBuffer> {
    const url = pick(this.job);
    if (!url) throw new FetchError(404, location.href);
    // A signed URL changes with each reading of the job: what is kept is kept by the file's hash, not by the browser.
    const headers: Record<string, string> = range ? { Range: `bytes=${range.from}-${range.to - 1}` } : {};
    const response = await fetch(url, { headers, signal: signal ?? null, cache: "no-store", credentials: "omit" });
    if (!response.ok) throw new FetchError(response.status, url);
    const body = await response.arrayBuffer();
    // who serves no ranges sends everything
    return range && response.status === 200 ? body.slice(range.from, range.to) : body;
  }
}
