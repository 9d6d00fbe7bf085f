import type { Message } from "./useTalk";

const RULES = "rules";

/** Who answered last: a language model's provider, or null for the service's own rules. */
export function providerOf(messages: readonly Message[]): string | null {
  const reply: object | undefined = messages.findLast((one) => one.role === "assistant");
  const named = reply && "provider" in reply ? reply.provider : null;
  return typeof named === "string" && named !== "" && named !== RULES ? named : null;
}
