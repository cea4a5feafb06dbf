// @ts-check
// The side of the alarms page: rate against the flood limit, the most frequent, shares by severity.
import { colour, sharp } from "./canvas.js";
import { byId, code, fill, h, icon, setText } from "./dom.js";
import { ms, time } from "./format.js";
import { SEVERITY } from "./tags.js";
import { _ } from "./words.js";

const FLOOD = 10; // new alarms in ten minutes
const BUCKET_MS = 600_000;
const BUCKETS = 24;

/** What the server's rule counts: also what a flood holds back. @param {any[]} all @param {number} nowMs */
const counted = (all, nowMs) => all.filter((alert) => !alert.watch && alert.suppressed !== "maintenance" && ms(alert.raised_at) <= nowMs);

/** Says that a flood is on, as the server does, and how many alarms it holds back. @param {boolean} on @param {any[]} all @param {number} nowMs */
export function showFlood(on, all, nowMs) {
  byId("flood").hidden = !on;
  if (!on) return;
  const n = counted(all, nowMs).filter((alert) => nowMs - ms(alert.raised_at) < BUCKET_MS).length;
  const held = all.filter((alert) => alert.suppressed === "flood" && (!alert.resolved_at || nowMs - ms(alert.raised_at) < BUCKET_MS)).length;
  setText(byId("flood-text"), _("Alarm flood: {n} new alarms in 10 min, {held} of them held back until it is over. Critical alarms, faults of machines, lost sources and confirmed limits are told at once.", { n, held }));
  byId("flood-held").hidden = held === 0;
}

/** @param {any[]} all @param {number} nowMs */
export function showRate(all, nowMs) {
  const counts = new Array(BUCKETS).fill(0);
  for (const alert of counted(all, nowMs)) {
    const back = Math.floor((nowMs - ms(alert.raised_at)) / BUCKET_MS);
    if (back < BUCKETS) counts[BUCKETS - 1 - back] += 1;
  }
  setText(byId("rate"), String(counts[BUCKETS - 1]));
  setText(byId("rate-from"), time(nowMs - BUCKETS * BUCKET_MS));
  setText(byId("rate-to"), time(nowMs));
  const area = sharp(/** @type {HTMLCanvasElement} */ (byId("rate-chart")));
  if (!area) return;
  const { c, width, height } = area;
  const top = Math.max(FLOOD, ...counts) * 1.15;
  const step = width / BUCKETS;
  counts.forEach((n, i) => {
    c.fillStyle = colour(i === BUCKETS - 1 ? "ink" : "edge");
    const bar = Math.max(1, (n / top) * height);
    c.fillRect(i * step + 1, height - bar, step - 2, bar);
  });
  c.strokeStyle = colour("edge");
  c.setLineDash([4, 3]);
  c.beginPath();
  c.moveTo(0, height - (FLOOD / top) * height);
  c.lineTo(width, height - (FLOOD / top) * height);
  c.stroke();
  c.setLineDash([]);
}

/** @param {any[]} all @param {number} nowMs */
export function showFrequent(all, nowMs) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const alert of counted(all, nowMs)) {
    if (nowMs - ms(alert.raised_at) > 7 * 86400e3) continue;
    const name = alert.tag || alert.asset?.code || alert.code || alert.title;
    counts.set(name, (counts.get(name) || 0) + (alert.occurrences || 1));
  }
  const top = [...counts.entries()].sort((a, b) => b[1] - a[1]).slice(0, 6);
  const rows = top.map(([name, n]) => {
    const bar = h("span", {});
    bar.style.width = `${(n / top[0][1]) * 100}%`;
    return h("li", {}, code(name), h("span", { class: "meter", "aria-hidden": "true" }, bar), h("b", {}, String(n)));
  });
  fill(byId("frequent"), rows.length ? rows : h("li", { class: "quiet" }, _("No alarms in 7 days.")));
}

/** @param {any[]} all @param {number} nowMs */
export function showShares(all, nowMs) {
  const recent = counted(all, nowMs).filter((alert) => nowMs - ms(alert.raised_at) < 30 * 86400e3);
  const parts = ["advisory", "warning", "critical"].map((severity) => ({ severity, n: recent.filter((alert) => alert.severity === severity).length }));
  fill(
    byId("share"),
    parts.map(({ severity, n }) => {
      const part = h("span", { class: severity[0] });
      part.style.flexGrow = String(n);
      return part;
    }),
  );
  const percent = (/** @type {number} */ n) => (recent.length ? Math.round((n / recent.length) * 100) : 0);
  fill(byId("share-words"), parts.map(({ severity, n }) => h("span", {}, icon(severity, severity === "critical" ? "crit" : severity === "advisory" ? "info" : ""), ` ${percent(n)} %`, h("span", { class: "visually-hidden" }, ` ${SEVERITY[severity]()}`))));
}
