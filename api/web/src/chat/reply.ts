import type { Conversation, Message } from "./useTalk";

const RULES = "rules";

/** The language model that answered; null for the service's own rules, and for what readers say. */
export function modelOf(message: Message): string | null {
  const { provider, model } = message;
  if (message.role !== "assistant" || !provider || provider === RULES) return null;
  return model ? `${provider}, ${model}` : provider;
}

/** The providers that messages are sent to, in their order; none where the service's rules alone answer. */
export function providersOf(conversation: Conversation | undefined): string[] {
  return (conversation?.providers ?? []).filter((name) => name !== RULES);
}
