// @ts-check
// The server's time in the browser, and the one ticker that keeps ages honest.

const sent = Number(document.querySelector('meta[name="server-time"]')?.getAttribute("content"));
const entry = /** @type {PerformanceNavigationTiming | undefined} */ (performance.getEntriesByType("navigation")[0]);
const received = performance.timeOrigin + (entry?.responseStart || 0);
const offset = sent ? sent - received : 0;

/** ms UTC by the server's clock; monotonic, so a changed wall clock cannot make old data look fresh. */
export function now() {
  return performance.timeOrigin + performance.now() + offset;
}

/** @type {Set<(nowMs: number) => void>} */
const listeners = new Set();
setInterval(() => {
  const at = now();
  for (const listener of listeners) listener(at);
}, 500);

/** Call twice a second. @param {(nowMs: number) => void} listener */
export function everyTick(listener) {
  listeners.add(listener);
  listener(now());
}
