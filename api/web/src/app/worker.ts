import { queries } from "./queries";
import { Store } from "./store";

/** Whether a newer page waits to take over. */
export const updateReady = new Store(false);
let waiting: ServiceWorker | null = null;

/** The service worker's address as Trusted Types want it; browsers without them take the string. */
function trusted(url: string): string {
  const types = (
    window as { trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): string } } }
  ).trustedTypes;
  return (
    types?.createPolicy("stemsvc-worker", { createScriptURL: (given: string) => given }).createScriptURL(url) ?? url
  );
}

/** Keep the page's own files for when nobody answers. Browsers have no service workers over plain http from elsewhere. */
export async function startWorker(): Promise<void> {
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  if (!navigator.serviceWorker.controller) {
    // it has not seen what was asked so far, and keeps what is asked again
    navigator.serviceWorker.addEventListener("controllerchange", () => void queries.invalidateQueries(), {
      once: true,
    });
  }
  const registration = await navigator.serviceWorker.register(trusted("/sw.js"));
  const offer = (worker: ServiceWorker | null) => {
    if (!worker || !navigator.serviceWorker.controller) return;
    worker.addEventListener("statechange", () => {
      if (worker.state !== "installed") return;
      waiting = worker;
      updateReady.set(true);
    });
  };
  registration.addEventListener("updatefound", () => offer(registration.installing));
  if (registration.waiting && navigator.serviceWorker.controller) {
    waiting = registration.waiting;
    updateReady.set(true);
  }
}

/** Let the newer page take over, and start it. */
export function loadUpdate(): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting?.postMessage("take over");
}
