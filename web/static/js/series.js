// @ts-check
// One tag's trend for the chart: fetched by span, cut to gaps, continued by live values.
import { get } from "./api.js";

/** @typedef {{x: number[], min: (number | null)[], avg: (number | null)[], max: (number | null)[], tier: string}} Series times in s, as uPlot wants them */

/**
 * @param {string} tag
 * @param {number} fromMs
 * @param {number} toMs
 * @param {number} points
 * @returns {Promise<Series>}
 */
export async function fetchSeries(tag, fromMs, toMs, points) {
  const query = new URLSearchParams({ tag, from: String(Math.round(fromMs)), to: String(Math.round(toMs)), points: String(points) });
  const answer = await get(`/api/readings/trends?${query}`);
  /** @type {Series} */
  const series = { x: [], min: [], avg: [], max: [], tier: answer.tier };
  for (const [t, low, mean, high] of answer.points) push(series, t, low, mean, high, gapMs(answer.points));
  return series;
}

/** Points further apart than this are not joined: missing data is a gap. @param {number[][]} points */
function gapMs(points) {
  if (points.length < 3) return Infinity;
  const steps = points.slice(1).map((point, i) => point[0] - points[i][0]).sort((a, b) => a - b);
  return Math.max(10_000, 4 * steps[Math.floor(steps.length / 2)]);
}

/** @param {Series} series @param {number} t @param {number | null} low @param {number | null} mean @param {number | null} high @param {number} gap */
function push(series, t, low, mean, high, gap) {
  const last = series.x[series.x.length - 1];
  if (last !== undefined && t - last * 1000 > gap) add(series, t - 1, null, null, null);
  add(series, t, low, mean, high);
}

/** @param {Series} series @param {number} t @param {number | null} low @param {number | null} mean @param {number | null} high */
function add(series, t, low, mean, high) {
  series.x.push(t / 1000);
  series.min.push(low);
  series.avg.push(mean);
  series.max.push(high);
}

/** A live sample at the end; null where it was bad. @param {Series} series @param {number} t @param {number | null} v @param {number} stepMs */
export function append(series, t, v, stepMs) {
  const last = series.x[series.x.length - 1] ?? 0;
  if (t / 1000 <= last) return false;
  const before = series.x[series.x.length - 2] ?? 0;
  if (t / 1000 - before < stepMs / 1000 && series.avg[series.avg.length - 1] !== null) {
    for (const column of [series.x, series.min, series.avg, series.max]) column.pop();
  }
  add(series, t, v, v, v);
  return true;
}
