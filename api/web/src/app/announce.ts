import { Store } from "./store";

/** What screen readers are told: `polite` waits for a pause, `urgent` does not. */
export const announced = new Store<{ polite: string; urgent: string }>({ polite: "", urgent: "" });

/** Say once what has changed. The same words twice in a row are said twice. */
export function announce(text: string): void {
  const { polite, urgent } = announced.get();
  announced.set({ polite: polite === text ? `${text}\u00a0` : text, urgent });
}

export function alarm(text: string): void {
  const { polite, urgent } = announced.get();
  announced.set({ polite, urgent: urgent === text ? `${text}\u00a0` : text });
}
