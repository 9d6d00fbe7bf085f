import type { Schemas } from "../api";
import type { Conversation, Message } from "./useTalk";

const RULES = "rules";

/** What a service with language models tells of a reply; one without may leave all of it out. */
interface Told {
  /** whether its words are still coming */
  writing?: boolean;
  provider?: string | null;
  model?: string | null;
  /** US dollars */
  cost?: number | null;
  /** why the rules answered in a model's place */
  notice?: Schemas["MessageProblem"] | null;
}

export function toldOf(message: Message): Told {
  return message as Message & Told;
}

/** The language model that answered; null for the service's own rules, and for what readers say. */
export function modelOf(message: Message): string | null {
  const { provider, model } = toldOf(message);
  if (message.role !== "assistant" || !provider || provider === RULES) return null;
  return model ? `${provider}, ${model}` : provider;
}

/** The providers that messages are sent to, in their order; none where the service's rules alone answer. */
export function providersOf(conversation: Conversation | undefined): string[] {
  const { providers = [] } = (conversation ?? {}) as { providers?: readonly string[] };
  return providers.filter((name) => name !== RULES);
}
