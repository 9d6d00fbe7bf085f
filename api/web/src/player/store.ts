/** A value of which parts change together, and who follows it. */

import { Store } from "../app/store";

export class Fields<T extends object> extends Store<T> {
  /** Set some fields; who follows is told once, and not where nothing is new. */
  merge(change: Partial<T>): void {
    const now = this.get();
    const isNew = (Object.keys(change) as (keyof T)[]).some((key) => !Object.is(now[key], change[key]));
    if (isNew) this.set({ ...now, ...change });
  }
}
