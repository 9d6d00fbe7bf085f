import { useEffect, useRef } from "react";
import { alarm, announce } from "../app/announce";
import { t } from "./strings";
import type { Conversation, Message } from "./useTalk";

/**
 * Says what is answered, once all of its words are here, and how versions end, to who does not see it. Nothing of what
 * stood there before, and nothing as it moves.
 */
export function useSpoken(messages: readonly Message[], seen: number, conversation: Conversation | undefined): void {
  const spoken = useRef(0);
  const running = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const last = messages.findLast((one) => one.role === "assistant" && !one.writing);
    if (!last || last.number <= seen || last.number <= spoken.current) return;
    spoken.current = last.number;
    announce(last.kind === "plan" ? t("say.plan", { text: last.text }) : last.text);
  }, [messages, seen]);
  useEffect(() => {
    const found = new Map(
      messages.flatMap(({ workflow }) => (workflow ? [[workflow.workflow_id, workflow.state]] : [])),
    );
    for (const id of running.current) {
      const state = found.get(id);
      const version = conversation?.versions.find((one) => one.workflow_id === id);
      if (!version) continue;
      const values = { version: version.version, summary: version.summary };
      if (state === "succeeded") announce(t("say.ready", values));
      if (state === "failed") alarm(t("say.failed", values));
      if (state === "canceled") announce(t("say.canceled", values));
    }
    running.current = new Set([...found].filter(([, state]) => state === "running").map(([id]) => id));
  }, [messages, conversation]);
}
