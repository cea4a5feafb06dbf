// @ts-check
// The trend of one tag (LOOK.md 5): uPlot with limits, normal range, markers, proof window and state ribbon around it.
import uPlot from "uplot";
import { colour } from "./canvas.js";
import { plain, time } from "./format.js";
import { drawBehind, drawFront } from "./trendmarks.js";
import { crossed } from "./tags.js";
import { language } from "./words.js";

export const LANE = 48; // px above the plot for markers
export const PROOF_LANE = 32; // px more while a proof window has its words above them
export const RIBBON = 12; // px below the plot for the operating state
const MARGIN = 70; // px at the end for the words of the limits

/** @typedef {import("./trendmarks.js").Marks} Marks */

/** A chart in `place`; `show` gives it data, `mark` what happened. */
export class Trend {
  /** @param {HTMLElement} place @param {(index: number | null) => void} readOut */
  constructor(place, readOut) {
    this.place = place;
    this.readOut = readOut;
    /** @type {import("./tags.js").Tag | null} */
    this.tag = null;
    /** @type {Marks} */
    this.marks = { alerts: [], orders: [], operating: [], proof: null };
    /** @type {[number, number]} */
    this.span = [0, 1];
    /** @type {any} */
    this.plot = null;
    new ResizeObserver(() => this.#fit()).observe(place);
  }

  /** @param {import("./tags.js").Tag} tag @param {import("./series.js").Series} series @param {[number, number]} span ms */
  show(tag, series, span) {
    this.span = span;
    const data = /** @type {any} */ ([series.x, series.max, series.min, series.avg]);
    if (this.plot && this.tag === tag) {
      this.plot.setData(data, false);
      this.plot.setScale("x", { min: span[0] / 1000, max: span[1] / 1000 });
      return;
    }
    this.tag = tag;
    this.plot?.destroy();
    this.plot = new uPlot(this.#options(tag), data, this.place);
  }

  /** @param {Marks} marks */
  mark(marks) {
    this.marks = marks;
    this.plot?.redraw(false, true);
  }

  restyle() {
    const plot = this.plot;
    if (plot && this.tag) {
      const data = plot.data;
      plot.destroy();
      this.plot = new uPlot(this.#options(this.tag), data, this.place);
    }
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (this.plot && width && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  /** @param {import("./tags.js").Tag} tag @returns {any} uPlot's own types want tuples that JSDoc cannot say */
  #options(tag) {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return {
      width: this.place.clientWidth,
      height: this.place.clientHeight,
      padding: [() => (this.marks.proof ? LANE + PROOF_LANE : LANE), MARGIN, RIBBON, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: true, range: () => [this.span[0] / 1000, this.span[1] / 1000] }, y: { range: (/** @type {any} */ u, /** @type {number} */ low, /** @type {number} */ high) => yRange(tag, low, high) } },
      series: [{}, { show: true, width: 0, points: { show: false } }, { show: true, width: 0, points: { show: false } }, this.#trace(tag)],
      bands: [{ series: [1, 2], fill: colour("band") }],
      axes: [
        { font, stroke: colour("text-3"), grid: { show: false }, ticks: { show: false }, gap: RIBBON + 4, space: 64, values: (/** @type {any} */ u, /** @type {number[]} */ at) => at.map((t) => tick(t, this.span)) },
        { font, stroke: colour("text-3"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, size: 44, space: 44, values: (/** @type {any} */ u, /** @type {number[]} */ at) => at.map((v) => plain(v, tag.decimals)) },
      ],
      hooks: {
        drawClear: [(/** @type {any} */ u) => drawBehind(u, tag, this.marks)],
        draw: [(/** @type {any} */ u) => drawFront(u, tag, this.marks)],
        setCursor: [(/** @type {any} */ u) => this.readOut(u.cursor.idx ?? null)],
      },
    };
  }

  /** @param {import("./tags.js").Tag} tag */
  #trace(tag) {
    return {
      width: 1.8,
      spanGaps: false,
      points: { show: (/** @type {any} */ u) => u.data[0].length < 60, size: 4, fill: colour("trace"), stroke: colour("trace") },
      stroke: (/** @type {any} */ u) => zoned(u, tag),
    };
  }
}

/** The trace changes hue where it passes a limit: one gradient with hard stops. @param {any} u @param {import("./tags.js").Tag} tag */
function zoned(u, tag) {
  const { top, height } = u.bbox;
  const { min, max } = u.scales.y;
  if (!(max > min) || !height) return colour("trace");
  const gradient = u.ctx.createLinearGradient(0, top, 0, top + height);
  const walls = (tag.limits || []).map((limit) => limit.value).filter((v) => v > min && v < max);
  const edges = [max, ...walls.sort((a, b) => b - a), min];
  for (let i = 0; i + 1 < edges.length; i += 1) {
    const limit = crossed(tag, (edges[i] + edges[i + 1]) / 2);
    const hue = colour(!limit || limit.severity === "advisory" ? "trace" : limit.severity === "critical" ? "crit" : "warn");
    const place = (/** @type {number} */ v) => Math.min(1, Math.max(0, (max - v) / (max - min)));
    gradient.addColorStop(place(edges[i]), hue);
    gradient.addColorStop(place(edges[i + 1]), hue);
  }
  return gradient;
}

/** From 0 where 0 has a meaning; limits in view when the trace comes near. @param {import("./tags.js").Tag} tag @param {number} low @param {number} high */
function yRange(tag, low, high) {
  const values = [low, high, tag.low, tag.high, ...(tag.limits || []).map((limit) => limit.value)].flatMap((v) => (typeof v === "number" && Number.isFinite(v) ? [v] : []));
  if (!values.length) return [0, 1];
  let min = Math.min(...values);
  const max = Math.max(...values);
  if (min >= 0 && min < 0.5 * max) min = 0;
  const room = (max - min || Math.abs(max) || 1) * 0.08;
  return [min === 0 ? 0 : min - room, max + room];
}

/** @param {number} at s @param {[number, number]} span ms */
function tick(at, span) {
  const length = span[1] - span[0];
  if (length < 36 * 3600e3) return time(at * 1000, length < 5 * 60e3);
  return new Date(at * 1000).toLocaleDateString(language, { day: "numeric", month: "short" });
}
