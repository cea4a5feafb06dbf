// @ts-check
// What a sample means on a screen: fresh, stale or gone, inside or past a limit. Draws nothing.
import { number } from "./format.js";
import { _ } from "./words.js";

/**
 * @typedef {{side: "high" | "low", value: number, severity: "advisory" | "warning" | "critical"}} Limit
 * @typedef {{id: number, name: string, label: string, unit: string, decimals: number, kind: string, role: string | null, low: number | null, high: number | null,
 *   range_low: number | null, range_high: number | null, limits: Limit[], period_s: number, source: string | null}} Tag
 * @typedef {"fresh" | "stale" | "gone" | "none"} Freshness
 * @typedef {{freshness: Freshness, text: string, value: number | null, ageMs: number, hue: "" | "warning" | "critical", uncertain: boolean, lost: boolean, limit: Limit | null}} Judged
 */

const FLOOR_MS = 1000; // fast polls are conflated on the way: their screen period is not below this
const RANK = { advisory: 1, warning: 2, critical: 3 };

/**
 * @param {Tag} tag
 * @param {import("./live.js").Value | undefined} sample
 * @param {number} nowMs
 * @returns {Judged}
 */
export function judge(tag, sample, nowMs) {
  const good = sample?.good;
  if (!sample || !good) {
    return { freshness: sample ? "gone" : "none", text: "—", value: null, ageMs: Number.NaN, hue: "", uncertain: false, lost: Boolean(sample), limit: null };
  }
  const ageMs = Math.max(0, nowMs - good.t);
  const period = Math.max(FLOOR_MS, tag.period_s * 1000);
  const lost = sample.q === 2;
  const freshness = lost || ageMs > 10 * period + 1000 ? "gone" : ageMs > 2 * period + 500 ? "stale" : "fresh";
  const limit = freshness === "gone" ? null : crossed(tag, good.v);
  const uncertain = sample.q === 1;
  const text = freshness === "gone" ? "—" : (uncertain ? "~" : "") + number(good.v, tag.decimals);
  const hue = limit && limit.severity !== "advisory" ? limit.severity : "";
  return { freshness, text, value: freshness === "gone" ? null : good.v, ageMs, hue, uncertain, lost, limit };
}

/** The worst limit that a value is past. @param {Tag} tag @param {number} v @returns {Limit | null} */
export function crossed(tag, v) {
  const past = (tag.limits || []).filter((limit) => (limit.side === "high" ? v > limit.value : v < limit.value));
  return past.sort((a, b) => RANK[b.severity] - RANK[a.severity])[0] || null;
}

/** Normal range: the tag's own, else what its limits leave. @param {Tag} tag @returns {[number, number] | null} */
export function normalRange(tag) {
  const sides = (/** @type {string} */ side) => (tag.limits || []).filter((limit) => limit.side === side).map((limit) => limit.value);
  const low = tag.low ?? (sides("low").length ? Math.max(...sides("low")) : (tag.range_low ?? 0));
  const high = tag.high ?? (sides("high").length ? Math.min(...sides("high")) : tag.range_high);
  return high === null || high === undefined || high <= low ? null : [low, high];
}

/** Scale of the range bar: the normal range and one span beside it, inside the instrument's range, with every limit on it. @param {Tag} tag @returns {[number, number] | null} */
export function scaleOf(tag) {
  const range = normalRange(tag);
  if (!range) return null;
  const span = range[1] - range[0];
  const limits = (tag.limits || []).map((limit) => limit.value);
  const low = Math.max(tag.range_low ?? -Infinity, range[0] - span);
  const high = Math.min(tag.range_high ?? Infinity, range[1] + span);
  return [Math.min(low, range[0], ...limits), Math.max(high, range[1], ...limits.map((v) => v + 0.1 * span))];
}

/** Name to show for a tag. @param {Tag} tag */
export const labelOf = (tag) => tag.label || tag.name;

/** Values worth a row: numbers that are no run bit or code. @param {Tag} tag */
export const isShown = (tag) => tag.kind === "f64" && (!tag.role || tag.role === "counter");

/** The tag an overview cell shows. @param {{headline?: string | null, tags: Tag[]}} asset @returns {Tag | undefined} */
export function headline(asset) {
  return asset.tags.find((tag) => tag.name === asset.headline) || asset.tags.find((tag) => tag.kind === "f64" && !tag.role);
}

/** @type {Record<string, () => string>} */
export const SEVERITY = { critical: () => _("Critical"), warning: () => _("Warning"), advisory: () => _("Advisory") };

/** The class that colours a value past a limit. */
export const HUE = { critical: "crit", warning: "warn", "": "" };
