/** Which jobs went on from which: this browser remembers it, so that a job's page shows again what was made of it. */

import { Store } from "../app/store";
import type { Bodies, Work } from "./create";

/** What was asked of a job. While its tracks are still being mixed, there is a `next` and no `id`. */
export interface Started {
  /** the job that it goes on from */
  of: string;
  work: Work;
  id: string | null;
  /** the mix that it works on */
  mix?: string;
  next?: { body: Bodies[Work]; key: string };
}

const PLACE = "stemsvc.works.1";
const MOST = 300;

function stored(): readonly Started[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
    return Array.isArray(found) ? (found as Started[]).filter((one) => one && typeof one.of === "string") : [];
  } catch {
    return []; // storage may be off, or hold another page's words
  }
}

/** Newest first. */
export const works = new Store<readonly Started[]>(stored());

function keep(next: readonly Started[]): void {
  works.set(next.slice(0, MOST));
  try {
    localStorage.setItem(PLACE, JSON.stringify(works.get()));
  } catch {
    // without storage they are remembered as long as the page
  }
}

const isSame = (a: Pick<Started, "of" | "work">, b: Pick<Started, "of" | "work">) => a.of === b.of && a.work === b.work;

export function startedOf(all: readonly Started[], of: string, work: Work): Started | undefined {
  return all.find((one) => isSame(one, { of, work }));
}

/** Remember it in place of an earlier one of the same work. */
export function remember(started: Started): void {
  keep([started, ...works.get().filter((one) => !isSame(one, started))]);
}

export function forget(of: string, work: Work): void {
  keep(works.get().filter((one) => !isSame(one, { of, work })));
}
