import type { Problem } from "../api";
import { Store } from "../app/store";
import { locale } from "../i18n";
import type { Action, Words } from "./words";

/** The words of all codes. They come in a file of their own, after the page; null until they are here. */
export const catalog = new Store<ReadonlyMap<string, Words> | null>(null);

export async function loadWords(): Promise<void> {
  const { CATALOG } = await import("./catalog");
  catalog.set(CATALOG);
}

/** The words of a code; null for one that this page does not know. */
export function wordsOf(code: string): Words | null {
  return catalog.get()?.get(code) ?? null;
}

/** What happened, in one sentence of the reader's language; null for an unknown code. */
export function said(code: string): string | null {
  return wordsOf(code)?.[locale()] ?? null;
}

/** What can be done about a problem: by its code, for an unknown one by its status. */
export function actionOf(problem: Problem): Action {
  const passes = problem.code === "network_error" || problem.status === 429 || problem.status === 503;
  return wordsOf(problem.code)?.action ?? (passes ? "wait" : "operator");
}
