import { useSyncExternalStore } from "react";

/** One value that components follow, for what lives longer than any of them. */
export class Store<T> {
  private readonly followers = new Set<() => void>();

  constructor(private value: T) {}

  readonly get = (): T => this.value;

  readonly set = (next: T): void => {
    if (Object.is(next, this.value)) return;
    this.value = next;
    for (const follower of this.followers) follower();
  };

  readonly subscribe = (follower: () => void): (() => void) => {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  };
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
