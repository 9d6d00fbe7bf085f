import type { Schemas } from "../src/api";
import { valid } from "./fixtures";

export const TALK = "11111111111111111111111111111111";
export const WORKFLOW = "22222222222222222222222222222222";
const AT = "2026-11-28T12:00:00+00:00";

type Message = Schemas["Message"];

export function conversation(values: Partial<Schemas["Conversation"]> = {}): Schemas["Conversation"] {
  return valid("Conversation", {
    id: TALK,
    name: "A trap beat",
    auto_run: false,
    messages: 2,
    created_at: AT,
    updated_at: AT,
    source: null,
    versions: [],
    version: null,
    plan: null,
    providers: ["rules"],
    last_event_id: "1.2",
    ...values,
  });
}

export function message(values: Partial<Message> = {}): Message {
  return valid("Message", {
    number: 1,
    role: "user",
    kind: "text",
    text: "a trap beat",
    created_at: AT,
    version: null,
    workflow_id: null,
    workflow: null,
    state: null,
    summary: null,
    plan: null,
    forecast: null,
    actions: [],
    compared: [],
    problem: null,
    writing: false,
    provider: null,
    model: null,
    tokens: null,
    cost: null,
    notice: null,
    ...values,
  });
}

export function forecast(values: Partial<Schemas["Plan"]> = {}): Schemas["Plan"] {
  return valid("Plan", {
    steps: [
      {
        step: "make",
        kind: "generate",
        model: "sketch",
        pool: "generate.cpu",
        device: "cpu",
        why: "the only pool",
        alive: true,
        after: [],
        waiting_seconds: 0,
        starts_seconds: 0,
        ends_seconds: 3,
        work_seconds: 3,
        measured: true,
        stored_bytes: 2_000_000,
      },
    ],
    pools: [{ name: "generate.cpu", slots: 1, waiting_seconds: 0 }],
    waiting_seconds: 0,
    work_seconds: 3,
    total_seconds: 3,
    stored_bytes: 2_000_000,
    cost: 0.25,
    currency: "EUR",
    ...values,
  });
}

export function plan(values: Partial<Message> = {}): Message {
  return message({
    number: 2,
    role: "assistant",
    kind: "plan",
    text: "trap, 140 bpm. Shall I run it?",
    state: "open",
    summary: "trap, 140 bpm",
    plan: { steps: [] },
    forecast: forecast(),
    ...values,
  });
}

export function standing(values: Partial<Schemas["MessageWorkflow"]> = {}): Schemas["MessageWorkflow"] {
  return valid("MessageWorkflow", {
    workflow_id: WORKFLOW,
    name: "trap, 140 bpm",
    recipe: null,
    state: "running",
    progress: { fraction: 0.25, jobs: 1, ended: 0, eta_seconds: null },
    finished_at: null,
    error: null,
    ...values,
  });
}

export function running(values: Partial<Message> = {}): Message {
  return message({
    number: 4,
    role: "assistant",
    text: "Version 1 is being made.",
    version: 1,
    workflow_id: WORKFLOW,
    workflow: standing(),
    actions: ["context.confirm"],
    ...values,
  });
}

export const versions = [{ version: 1, summary: "trap, 140 bpm", workflow_id: WORKFLOW }];

export function workflow(values: Partial<Schemas["Workflow"]> = {}): Schemas["Workflow"] {
  const own = `http://localhost:3000/v1/workflows/${WORKFLOW}`;
  return valid("Workflow", {
    id: WORKFLOW,
    name: "trap, 140 bpm",
    recipe: null,
    state: "running",
    progress: { fraction: 0.25, jobs: 1, ended: 0, eta_seconds: null },
    created_at: AT,
    finished_at: null,
    error: null,
    metadata: {},
    webhook_url: null,
    webhook_events: [],
    retry_of: null,
    steps: [{ id: "make", do: "generate", inputs: {}, needs: [], state: "queued", jobs: [] }],
    outputs: {},
    decisions: [],
    urls: { self: own, cancel: `${own}/cancel`, retry: `${own}/retry` },
    ...values,
  });
}

/** Streams that a test speaks through. */
export class FakeStream extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static all: FakeStream[] = [];
  readyState = FakeStream.OPEN;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: string) {
    super();
    FakeStream.all.push(this);
  }

  close() {
    this.readyState = FakeStream.CLOSED;
  }

  tell(type: string, data: unknown) {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }
}
