/** A random id. `crypto.randomUUID` is missing where the page came over plain http from another machine. */
export function randomId(): string {
  const raw = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
