const LATEST_MS = 4000;

/** Run `work` once the page is loaded and has nothing better to do. */
export function whenIdle(work: () => void): void {
  const wait = () => {
    if ("requestIdleCallback" in window) window.requestIdleCallback(work, { timeout: LATEST_MS });
    else setTimeout(work, LATEST_MS / 4); // Safari
  };
  if (document.readyState === "complete") wait();
  else window.addEventListener("load", wait, { once: true });
}
