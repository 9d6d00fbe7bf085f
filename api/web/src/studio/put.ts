import { Problem, problemOf } from "../api";

/** How long a connection may move no byte before it counts as cut. */
const STALLED_MS = 45_000;
/** Scripts may not set these; the browser does. */
const FORBIDDEN = new Set(["content-length", "host", "connection"]);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // an object store answers in XML
  }
}

/**
 * Send a file to a signed URL; `onSent` gets the bytes that the browser has handed over. Throws Problem: the api's own,
 * `upload_failed` for another store's refusal, `network_error` where the connection broke or stalled.
 */
export function put(
  url: string,
  headers: Record<string, string>,
  file: Blob,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stalled = 0;
    const watch = () => {
      clearTimeout(stalled);
      stalled = window.setTimeout(() => {
        request.abort();
        reject(new Problem("network_error", "no byte moved for a while"));
      }, STALLED_MS);
    };
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      if (!FORBIDDEN.has(name.toLowerCase())) request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => {
      watch();
      onSent(event.loaded);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) return resolve();
      const body = parsed(request.responseText);
      const response = new Response(null, { status: request.status, headers: kept(request) });
      const told = problemOf(body, response);
      reject(body ? told : new Problem("upload_failed", `the storage answered ${request.status}`, request.status));
    };
    request.onerror = () => reject(new Problem("network_error", "the connection broke"));
    request.onloadend = () => clearTimeout(stalled);
    signal.addEventListener("abort", () => {
      request.abort();
      reject(signal.reason);
    });
    watch();
    request.send(file);
  });
}

function kept(request: XMLHttpRequest): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ["Retry-After", "X-Request-Id"]) {
    const value = request.getResponseHeader(name);
    if (value) found[name] = value;
  }
  return found;
}
