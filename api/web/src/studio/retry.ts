import { Problem } from "../api";
import { actionOf } from "../problems/known";

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** When to try again after `problem` and `tries` in a row, in milliseconds from now; null: not by itself. */
export function pauseAfter(problem: Problem, tries: number): number | null {
  if (actionOf(problem) !== "wait") return null;
  if (problem.retryAfter !== null) return Math.max(FIRST_MS, problem.retryAfter * 1000);
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries, 10));
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem("page_error", String(error));
}
