import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import type { Schemas } from "../src/api";
import { announced } from "../src/app/announce";
import { drawer } from "../src/app/drawer";
import { Shell } from "../src/app/Shell";
import Chat from "../src/chat/Chat";
import { draft, showConversation } from "../src/chat/current";
import { labelOf } from "../src/chat/piece";
import { modelOf, providersOf } from "../src/chat/reply";
import { problem, summary } from "./fixtures";
import { answers, server, show } from "./server";
import {
  conversation,
  FakeStream,
  forecast,
  message,
  plan,
  running,
  standing,
  TALK,
  versions,
  WORKFLOW,
  workflow,
} from "./talk";

const PATH = `/v1/conversations/${TALK}`;

/** What the service has: the newest message first, as it sends them. */
function holds(messages: Schemas["Message"][], values: Partial<Schemas["Conversation"]> = {}) {
  answers("get", PATH, conversation(values));
  answers("get", `${PATH}/messages`, { messages: messages.toReversed(), next_cursor: null });
}

beforeEach(() => {
  sessionStorage.clear();
  showConversation(null);
  draft.set("");
  drawer.set(false);
  announced.set({ polite: "", urgent: "" });
  FakeStream.all = [];
  vi.stubGlobal("EventSource", FakeStream);
  answers("get", "/v1/conversations", { conversations: [], next_cursor: null });
});

const field = () => screen.findByLabelText("Your message");
const stream = () => waitFor(() => FakeStream.all.at(-1) ?? expect.fail("no stream"));

test("C opens the drawer, Escape closes it, and the focus comes back; in a field C is a letter", async () => {
  show(
    <Shell talks>
      <input aria-label="Elsewhere" />
      <button type="button">Here</button>
    </Shell>,
  );
  await userEvent.type(screen.getByLabelText("Elsewhere"), "c");
  expect(screen.queryByRole("complementary")).toBeNull();
  screen.getByRole("button", { name: "Here" }).focus();
  await userEvent.keyboard("c");
  await waitFor(() => expect(screen.getByLabelText("Your message")).toHaveFocus());
  await userEvent.keyboard("half a thought{Escape}");
  await waitFor(() => expect(screen.queryByRole("complementary")).toBeNull());
  expect(screen.getByRole("button", { name: "Here" })).toHaveFocus();
  await userEvent.click(await screen.findByRole("button", { name: "Chat" }));
  expect(await field()).toHaveValue("half a thought");
});

test("the first message begins a conversation; its plan says what it takes, and runs once it is pressed", async () => {
  const sent: unknown[] = [];
  const told = conversation({ plan: 2 });
  server.use(
    http.post("*/v1/conversations", async ({ request }) => {
      sent.push(await request.json());
      holds([]);
      return HttpResponse.json(conversation(), { status: 201 });
    }),
    http.post(`*${PATH}/messages`, async ({ request }) => {
      sent.push(await request.json(), request.headers.get("Idempotency-Key")?.length);
      holds([message(), plan()], { plan: 2 });
      return HttpResponse.json({ message: message(), reply: plan(), conversation: told }, { status: 201 });
    }),
    http.post(`*${PATH}/confirm`, async ({ request }) => {
      sent.push(await request.json());
      const done = { message: message({ number: 3, text: "yes" }), reply: running() };
      return HttpResponse.json({ ...done, conversation: conversation({ versions, version: 1 }) }, { status: 201 });
    }),
  );
  answers("get", `/v1/workflows/${WORKFLOW}`, workflow());
  show(<Chat />);
  await userEvent.click(await screen.findByRole("checkbox", { name: "Run plans at once" }));
  await userEvent.type(await field(), "a trap beat{Shift>}{Enter}{/Shift}please{Enter}");
  const card = await screen.findByRole("article", { name: "Plan: trap, 140 bpm" });
  expect(within(card).getByText("Make music: about 3 seconds on generate.cpu")).toBeVisible();
  expect(within(card).getByText(/In all about 3 seconds, 2 MB of files · costs €0\.25/)).toBeVisible();
  expect(announced.get().polite).toContain("The card has its steps.");
  await userEvent.click(within(card).getByRole("button", { name: "Run it" }));
  const version = await screen.findByRole("article", { name: "Version 1: trap, 140 bpm" });
  expect(await within(version).findByText("Make music: Queued")).toBeVisible();
  expect(sent).toEqual([
    { name: "", auto_run: true },
    { text: "a trap beat\nplease" },
    expect.any(Number),
    { message: 2 },
  ]);
  expect(await field()).toHaveValue("");
});

test("progress is what the stream tells; the end is said once, and nothing as it moves", async () => {
  showConversation(TALK);
  holds([message(), plan({ state: "confirmed", version: 1 }), message({ number: 3, text: "yes" }), running()], {
    versions,
    version: 1,
  });
  const at = { fraction: 0.25, stage: "playing", eta_seconds: null };
  const made = { ...summary({ kind: "generate", progress: at }), step: "make" };
  const step = { id: "make", do: "generate", inputs: {}, needs: [], state: "running" as const, jobs: [made] };
  answers("get", `/v1/workflows/${WORKFLOW}`, workflow({ steps: [step] }));
  show(<Chat />);
  const bar = await screen.findByRole("progressbar", { name: "Progress of Version 1: trap, 140 bpm, Make music" });
  expect(bar).toHaveAttribute("aria-valuenow", "25");
  expect(screen.getByText("Make music: Playing the parts, 25 %")).toBeVisible();
  expect(screen.getByText("0 of 1 step is done")).toBeVisible();
  const one = await stream();
  expect(one.url).toBe(`${PATH}/events?after=1.2`);
  act(() => one.tell("progress", { workflow_id: WORKFLOW, job_id: made.id, step: "make", ...at, fraction: 0.6 }));
  await waitFor(() => expect(bar).toHaveAttribute("aria-valuenow", "60"));
  expect(announced.get()).toEqual({ polite: "", urgent: "" });
  answers("get", `/v1/workflows/${WORKFLOW}`, workflow({ state: "succeeded" }));
  act(() =>
    one.tell(
      "workflow",
      standing({ state: "succeeded", progress: { fraction: 1, jobs: 1, ended: 1, eta_seconds: null } }),
    ),
  );
  await waitFor(() => expect(announced.get().polite).toBe("Version 1 is ready: trap, 140 bpm"));
  expect(screen.queryByRole("progressbar")).toBeNull();
});

test("a message of another client comes by the stream, once; a stream that is refused is polled instead", async () => {
  showConversation(TALK);
  holds([message()]);
  show(<Chat />);
  await screen.findByText("a trap beat");
  const one = await stream();
  act(() => {
    for (const _ of [1, 2]) one.tell("message", message({ number: 2, role: "assistant", text: "Which genre?" }));
  });
  expect(await screen.findAllByText("Which genre?")).toHaveLength(1);
  holds([message(), message({ number: 3, text: "techno" })]);
  act(() => {
    one.readyState = FakeStream.CLOSED;
    one.onerror?.();
  });
  expect(await screen.findByText("techno")).toBeVisible();
});

test("a message that fails is kept, said in words, and sent again with the same key", async () => {
  showConversation(TALK);
  holds([]);
  const keys: (string | null)[] = [];
  server.use(
    http.post(`*${PATH}/messages`, ({ request }) => {
      keys.push(request.headers.get("Idempotency-Key"));
      if (keys.length === 1) return HttpResponse.json(problem("bad_request", 400), { status: 400 });
      const told = { message: message(), reply: message({ number: 2, role: "assistant", text: "Which genre?" }) };
      return HttpResponse.json({ ...told, conversation: conversation() }, { status: 201 });
    }),
  );
  show(<Chat />);
  await userEvent.type(await field(), "a trap beat{Enter}");
  expect(await screen.findByText("The service could not read the request.")).toBeVisible();
  expect(screen.getByText("a trap beat")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Which genre?")).toBeVisible();
  expect(keys[0]).toBe(keys[1]);
  expect(screen.getAllByText("a trap beat")).toHaveLength(1);
});

test("what can't be done says why; its action gives the words back to be changed", async () => {
  showConversation(TALK);
  const refused = { code: "no_pool", detail: "no pool serves generate" };
  holds([
    message(),
    message({ number: 2, role: "assistant", kind: "problem", text: "That can't be done", problem: refused }),
  ]);
  show(<Chat />);
  await userEvent.click(await screen.findByRole("button", { name: "Change options" }));
  expect(await field()).toHaveValue("a trap beat");
  expect(await field()).toHaveFocus();
});

test("undo, make anew, drop, and the switch are calls of their own", async () => {
  showConversation(TALK);
  const ready = running({ workflow: standing({ state: "succeeded" }) });
  const two = [...versions, { version: 2, summary: "without drums", workflow_id: "33333333333333333333333333333333" }];
  const second = { ...ready, number: 6, version: 2, workflow_id: "33333333333333333333333333333333" };
  holds([ready, { ...second, workflow: { ...standing(), state: "succeeded", workflow_id: second.workflow_id } }], {
    versions: two,
    version: 2,
  });
  answers("get", `/v1/workflows/${WORKFLOW}`, workflow({ state: "succeeded" }));
  answers("get", `/v1/workflows/${second.workflow_id}`, workflow({ id: second.workflow_id, state: "succeeded" }));
  const calls: string[] = [];
  const exchange = (number: number) => ({
    message: message({ number, text: "undo" }),
    reply: message({ number: number + 1, role: "assistant", text: "This is version 1 again" }),
    conversation: conversation({ versions: two, version: 1 }),
  });
  server.use(
    ...(["undo", "regenerate"] as const).map((name, place) =>
      http.post(`*${PATH}/${name}`, () => {
        calls.push(name);
        return HttpResponse.json(exchange(7 + 2 * place), { status: 201 });
      }),
    ),
    http.patch(`*${PATH}`, async ({ request }) => {
      calls.push(JSON.stringify(await request.json()));
      return HttpResponse.json(conversation({ auto_run: true, versions: two, version: 2 }));
    }),
  );
  show(<Chat />);
  await userEvent.click(await screen.findByRole("checkbox", { name: "Run plans at once" }));
  await waitFor(() => expect(screen.getByRole("checkbox", { name: "Run plans at once" })).toBeChecked());
  await userEvent.click(await screen.findByRole("button", { name: "Make it anew" }));
  await waitFor(() => expect(calls).toContain("regenerate"));
  expect(calls).toEqual(['{"auto_run":true}', "regenerate"]);
  expect(await screen.findByText("This is version 1 again")).toBeVisible();
});

test("a conversation that is gone makes room for a new one", async () => {
  showConversation(TALK);
  answers("get", PATH, problem("conversation_not_found", 404), 404);
  answers("get", `${PATH}/messages`, problem("conversation_not_found", 404), 404);
  show(<Chat />);
  expect(await screen.findByText("For example")).toBeVisible();
  expect(announced.get().polite).toContain("This conversation is gone");
});

test("the list searches, shows, renames and deletes", async () => {
  const one: Schemas["ConversationSummary"] = conversation();
  const searched: (string | null)[] = [];
  let held = [one];
  server.use(
    http.get("*/v1/conversations", ({ request }) => {
      searched.push(new URL(request.url).searchParams.get("q"));
      return HttpResponse.json({ conversations: held, next_cursor: null });
    }),
    http.patch(`*${PATH}`, async ({ request }) => {
      const { name } = (await request.json()) as { name: string };
      held = [{ ...one, name }];
      return HttpResponse.json(conversation({ name }));
    }),
    http.delete(`*${PATH}`, () => {
      held = [];
      return new HttpResponse(null, { status: 204 });
    }),
    http.get(`*${PATH}/export`, () => HttpResponse.text("# A trap beat")),
  );
  show(<Chat />);
  await userEvent.click(await screen.findByRole("button", { name: "Conversations" }));
  expect(screen.getByLabelText("Search conversations")).toHaveFocus();
  await userEvent.type(screen.getByLabelText("Search conversations"), "trap");
  await waitFor(() => expect(searched).toContain("trap"));
  await userEvent.click(await screen.findByRole("button", { name: "Rename A trap beat" }));
  await userEvent.clear(screen.getByLabelText("Name"));
  await userEvent.type(screen.getByLabelText("Name"), "Beats{Enter}");
  const saved: string[] = [];
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function click(this: HTMLAnchorElement) {
    saved.push(this.download);
  });
  await userEvent.click(await screen.findByRole("button", { name: "Export Beats" }));
  await userEvent.click(screen.getByRole("button", { name: "As a text (Markdown)" }));
  await waitFor(() => expect(saved).toEqual(["Beats.md"]));
  await userEvent.click(screen.getByRole("button", { name: "Delete Beats" }));
  await userEvent.click(screen.getByRole("button", { name: "Delete for good" }));
  await waitFor(() => expect(screen.queryByText("Beats")).toBeNull());
  expect(announced.get().polite).toBe("Beats deleted");
});

test("who answered is said, where the service tells it", async () => {
  expect(modelOf(message({ role: "assistant" }))).toBeNull();
  expect(modelOf(message({ role: "assistant", provider: "rules" }))).toBeNull();
  const told = message({ number: 2, role: "assistant", text: "Which genre?", provider: "local", model: "small" });
  expect(modelOf(told)).toBe("local, small");
  const talk = conversation({ providers: ["local", "rules"] });
  expect(providersOf(talk)).toEqual(["local"]);
  showConversation(TALK);
  answers("get", PATH, talk);
  answers("get", `${PATH}/messages`, { messages: [{ ...told, cost: 0.002 }, message()], next_cursor: null });
  show(<Chat />);
  expect(await screen.findByText("local, small answered, for $0.002.")).toBeVisible();
  expect(screen.getByText("Messages are sent to local.")).toBeVisible();
});

test("words that come bit by bit grow as they come, and are said once they are whole", async () => {
  showConversation(TALK);
  holds([message()]);
  show(<Chat />);
  await screen.findByText("a trap beat");
  const one = await stream();
  const reply = (text: string, writing: boolean) => message({ number: 2, role: "assistant", text, writing });
  act(() => one.tell("message", reply("Which", true)));
  expect(await screen.findByText("Which")).toBeVisible();
  expect(screen.getByText("Writing…")).toBeVisible();
  expect(announced.get().polite).toBe("");
  act(() => one.tell("message", reply("Which genre?", false)));
  expect(await screen.findByText("Which genre?")).toBeVisible();
  expect(screen.queryByText("Writing…")).toBeNull();
  expect(announced.get().polite).toBe("Which genre?");
});

test("a plan without a live worker says so, and one that waits when it begins", async () => {
  showConversation(TALK);
  const steps = forecast().steps.map((step) => ({ ...step, alive: false }));
  holds([message(), plan({ forecast: forecast({ steps, waiting_seconds: 120, cost: 0 }) })], { plan: 2 });
  show(<Chat />);
  expect(await screen.findByText(/no worker runs for it right now/)).toBeVisible();
  expect(screen.getByText(/begins in about 2 minutes/)).toBeVisible();
  expect(screen.queryByText(/costs/)).toBeNull();
});

test("outputs are called by their stems, where those differ", () => {
  const file = { content_type: "audio/flac", stem: "mix" } as Schemas["WorkflowFile"];
  expect(labelOf("make.mix", { "make.mix": file })).toBe("Mix");
  expect(labelOf("master.master", { "master.master": { ...file, stem: undefined } })).toBe("Master");
  expect(labelOf("make.mix-2", { "make.mix": file, "make.mix-2": file })).toBe("Mix-2");
  expect(labelOf("a.mix", { "a.mix": file, "b.mix": file })).toBe("A.mix");
});
