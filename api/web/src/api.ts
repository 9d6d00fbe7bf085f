/** The service's API, typed by api/openapi.json. */

import createClient from "openapi-fetch";
import { Store } from "./app/store";
import type { components, paths } from "./openapi";

export type Schemas = components["schemas"];
export type Job = Schemas["Job"];
export type JobSummary = Schemas["JobSummary"];
export type JobState = Job["state"];
export type Stem = Schemas["Stem"];
export type Model = Schemas["Model"];
export type Pool = Schemas["Pool"];

type FieldErrors = Record<string, unknown>;

/** Thrown for each answer that is no success, and where no answer came (`network_error`, which the api never sends). */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
    readonly status: number = 0,
    readonly requestId: string | null = null,
    /** seconds after which the same may succeed, by `Retry-After` */
    readonly retryAfter: number | null = null,
    readonly fields: FieldErrors | null = null,
  ) {
    super(`${code}: ${detail}`);
    this.name = "Problem";
  }
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Seconds of a `Retry-After`, which has seconds or a date. */
export function retryAfter(header: string | null): number | null {
  if (!header) return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}

/** The problem that an answer tells; `body` is its JSON, if it had any. */
export function problemOf(body: unknown, response: Response): Problem {
  const told = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  return new Problem(
    text(told.code) ?? `http_${response.status}`,
    text(told.detail) ?? response.statusText,
    response.status,
    text(told.request_id) ?? response.headers.get("X-Request-Id"),
    retryAfter(response.headers.get("Retry-After")),
    typeof told.errors === "object" ? (told.errors as FieldErrors | null) : null,
  );
}

/** Whether nobody answered: the network, or a service that is starting. */
export function isNetwork(error: unknown): boolean {
  return error instanceof Problem && error.code === "network_error";
}

/** On what the service worker has kept: see scripts/worker.js. */
const FROM_BEFORE = "X-Stemsvc-Kept";

/** Whether somebody answered the last request. */
export const reachable = new Store(true);

async function fetched(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    reachable.set(!response.headers.has(FROM_BEFORE));
    return response;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    reachable.set(false);
    throw new Problem("network_error", error instanceof Error ? error.message : String(error));
  }
}

export const client = createClient<paths>({ baseUrl: location.origin, credentials: "same-origin", fetch: fetched });

/** The answer's data: `await answer(client.GET("/v1/models"))`. Throws Problem. */
export async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  const { data, error, response } = await call;
  if (!response.ok) throw problemOf(error, response);
  return data as NonNullable<T>;
}
