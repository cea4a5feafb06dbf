// @ts-check
// The sparkline of LOOK.md 3: ten minutes on a fixed scale, so that calm looks calm; a gap stays a gap.
import { get } from "./api.js";
import { colour, hatch, sharp } from "./canvas.js";
import { crossed, normalRange } from "./tags.js";

const SPAN_MS = 600_000;
const STEP_MS = 2000; // points closer than this replace the last one

const SPAN_OF = /** @type {Record<string, number>} */ ({ "1m": 60_000, "1h": 3_600_000, "1d": 86_400_000 }); // what a point of a tier stands for, ms

/** @typedef {{t: number, v: number | null, span?: number}} Point */

/** Ten minutes of one tag. */
export class Spark {
  /** @param {import("./tags.js").Tag} tag @param {HTMLCanvasElement} canvas */
  constructor(tag, canvas) {
    this.tag = tag;
    this.canvas = canvas;
    /** @type {Point[]} */
    this.points = [];
  }

  /** Fetch what happened before this page was open. @param {number} nowMs */
  async load(nowMs) {
    const query = new URLSearchParams({ tag: this.tag.name, from: String(Math.round(nowMs - SPAN_MS)), to: String(Math.round(nowMs)), points: "150" });
    const answer = await get(`/api/readings/trends?${query}`);
    const span = SPAN_OF[answer.tier] || 0;
    const before = answer.points.map((/** @type {number[]} */ p) => ({ t: (p[0] + Math.min(p[0] + span, Math.max(p[0], nowMs))) / 2, v: p[2], span }));
    const first = this.points[0]?.t ?? Infinity;
    this.points = [...before.filter((/** @type {Point} */ p) => p.t < first), ...this.points];
  }

  /** @param {number} t @param {number | null} v */
  add(t, v) {
    const last = this.points[this.points.length - 1];
    if (last && t <= last.t) return;
    const before = this.points[this.points.length - 2];
    if (last && before && t - before.t < STEP_MS) this.points.pop();
    this.points.push({ t, v });
    if (this.points.length > 400) this.points.splice(0, this.points.length - 400);
  }

  /** @param {number} nowMs @param {boolean} dim true when stale or lost */
  draw(nowMs, dim) {
    const area = sharp(this.canvas);
    if (!area) return;
    const { c, width, height } = area;
    const range = normalRange(this.tag) || this.#seen();
    const span = range[1] - range[0] || 1;
    const [low, high] = this.#scale(range, span);
    const y = (/** @type {number} */ v) => Math.min(height - 2, Math.max(2, height - ((v - low) / (high - low)) * height));
    const x = (/** @type {number} */ t) => width - 4 - ((nowMs - t) / SPAN_MS) * (width - 4);
    c.fillStyle = colour(this.tag.limits?.length || this.tag.high !== null ? "track" : "surface");
    c.fillRect(0, y(range[1]), width, y(range[0]) - y(range[1]));
    this.#limits(c, y, width);
    this.#trace(c, x, y, dim);
    const newest = this.points[this.points.length - 1];
    if (newest && dim) hatch(c, Math.max(0, x(newest.t) + 3), 0, width - x(newest.t) - 3, height, 6);
  }

  /** Normal range and 35 % either side; past a limit, as far as the limit and the trace need. @param {[number, number]} range @param {number} span @returns {[number, number]} */
  #scale(range, span) {
    const last = this.points[this.points.length - 1];
    const limit = last && last.v !== null ? crossed(this.tag, last.v) : null;
    const must = limit ? [limit.value, ...this.points.flatMap((point) => (point.v === null ? [] : [point.v]))] : [];
    return [Math.min(range[0] - 0.35 * span, ...must), Math.max(range[1] + 0.35 * span, ...must)];
  }

  /** @returns {[number, number]} */
  #seen() {
    const seen = this.points.flatMap((point) => (point.v === null ? [] : [point.v]));
    return seen.length ? [Math.min(...seen), Math.max(...seen)] : [0, 1];
  }

  /** @param {CanvasRenderingContext2D} c @param {(v: number) => number} y @param {number} width */
  #limits(c, y, width) {
    const last = this.points[this.points.length - 1];
    const limit = last && last.v !== null ? crossed(this.tag, last.v) : null;
    if (!limit) return;
    c.strokeStyle = colour("edge");
    c.lineWidth = 1;
    c.setLineDash([3, 2]);
    c.beginPath();
    c.moveTo(0, y(limit.value));
    c.lineTo(width, y(limit.value));
    c.stroke();
    c.setLineDash([]);
  }

  /** @param {CanvasRenderingContext2D} c @param {(t: number) => number} x @param {(v: number) => number} y @param {boolean} dim */
  #trace(c, x, y, dim) {
    const gap = Math.max(15_000, 4000 * this.tag.period_s);
    /** @type {Point | null} */
    let last = null;
    c.lineJoin = "round";
    for (const point of this.points) {
      if (last && last.v !== null && point.v !== null && point.t - last.t < Math.max(gap, 1.5 * (last.span || 0)) && x(point.t) >= 0) {
        const limit = crossed(this.tag, point.v);
        const past = limit && limit.severity !== "advisory";
        c.strokeStyle = colour(dim ? "edge" : past ? (limit.severity === "critical" ? "crit" : "warn") : "trace");
        c.lineWidth = past && !dim ? 2 : 1.4;
        c.beginPath();
        c.moveTo(x(last.t), y(last.v));
        c.lineTo(x(point.t), y(point.v));
        c.stroke();
      }
      last = point;
    }
    if (last && last.v !== null && !dim) {
      c.fillStyle = c.strokeStyle;
      c.beginPath();
      c.arc(x(last.t), y(last.v), 2.4, 0, 2 * Math.PI);
      c.fill();
    }
  }
}
