import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import { HttpResponse, http, type JsonBodyType } from "msw";
import { setupServer } from "msw/node";
import type { ReactNode } from "react";
import { queries } from "../src/app/queries";
import { limits, model, presets, session } from "./fixtures";

/** The API as far as a test needs it; each test says what else it answers. */
export const server = setupServer(
  http.get("*/v1/session", () => HttpResponse.json(session)),
  http.get("*/v1/limits", () => HttpResponse.json(limits)),
  http.get("*/v1/models", () => HttpResponse.json({ models: [model], presets })),
  http.get("*/v1/jobs", () => HttpResponse.json({ jobs: [], next_cursor: null })),
  http.head("*/demo.flac", () => new HttpResponse(null, { status: 404 })),
);

export function answers(method: "get" | "post" | "put" | "delete", path: string, body: JsonBodyType, status = 200) {
  server.use(http[method](`*${path}`, () => HttpResponse.json(body, { status })));
}

export function show(part: ReactNode) {
  queries.clear();
  return render(<QueryClientProvider client={queries}>{part}</QueryClientProvider>);
}
