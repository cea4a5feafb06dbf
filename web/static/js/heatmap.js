// @ts-check
// An array tag as a picture: one ImageData and a 256-colour table per mode; the extreme gets a ring and a label.
import { colour } from "./canvas.js";

/** @typedef {{rows: number, columns: number, values: Float32Array, unit: string, t: number}} Frame */
/** @typedef {{min: number, max: number, mean: number, std: number, row: number, column: number}} Stats row and column of the maximum */

/** @type {Record<string, (buffer: ArrayBuffer) => ArrayLike<number>>} */
const VIEWS = { i2: (b) => new Int16Array(b), u1: (b) => new Uint8Array(b), f4: (b) => new Float32Array(b) };
// cividis at even steps: Nuñez, Anderton and Renslow 2018, readable with every colour vision
const CIVIDIS = [[0, 32, 76], [44, 62, 110], [86, 92, 108], [124, 123, 120], [166, 157, 117], [211, 193, 100], [255, 233, 69]];

/** Bytes and their header to engineering units. @param {any} meta @param {ArrayBuffer} data @returns {Frame} */
export function decode(meta, data) {
  const view = VIEWS[meta.dtype];
  if (!view) throw new Error(`frame of unknown dtype ${meta.dtype}`);
  const raw = view(data instanceof ArrayBuffer ? data : /** @type {any} */ (data).slice().buffer);
  const values = Float32Array.from(raw, (v) => v * meta.scale + meta.offset);
  return { rows: meta.shape[0], columns: meta.shape[1], values, unit: meta.unit, t: meta.t };
}

/** @param {Frame} frame @returns {Stats} */
export function statistics(frame) {
  let [min, max, sum, squares, at] = [Infinity, -Infinity, 0, 0, 0];
  frame.values.forEach((v, i) => {
    if (v > max) [max, at] = [v, i];
    if (v < min) min = v;
    sum += v;
    squares += v * v;
  });
  const mean = sum / frame.values.length;
  return { min, max, mean, std: Math.sqrt(Math.max(0, squares / frame.values.length - mean * mean)), row: Math.floor(at / frame.columns), column: at % frame.columns };
}

/** @param {string} text "#rrggbb" or "#rgb" @returns {number[]} */
function rgb(text) {
  const hex = text.replace("#", "");
  const full = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
  return [0, 2, 4].map((i) => Number.parseInt(full.slice(i, i + 2), 16));
}

/** @param {number[]} a @param {number[]} b @param {number} share */
const mix = (a, b, share) => a.map((v, i) => v + (b[i] - v) * share);

/** @param {number} share 0..1 */
function cividis(share) {
  const at = Math.min(0.9999, Math.max(0, share)) * (CIVIDIS.length - 1);
  return mix(CIVIDIS[Math.floor(at)], CIVIDIS[Math.floor(at) + 1], at % 1);
}

/** Colour of a value: steel inside the range, amber and red beyond (the default), or cividis over what is there.
 * @param {"limits" | "thermal"} mode @param {[number, number]} range @param {{warning: number, critical: number}} limits @param {Stats} stats
 * @returns {(v: number) => number[]} */
function colouring(mode, range, limits, stats) {
  if (mode === "thermal") return (v) => cividis((v - stats.min) / (stats.max - stats.min || 1));
  const [low, high, amber, red] = ["heat-low", "heat-high", "warn-fill", "crit"].map((token) => rgb(colour(token)));
  return (v) => {
    if (v > limits.critical) return red;
    if (v > limits.warning) return amber;
    return mix(low, high, Math.min(1, Math.max(0, (v - range[0]) / (range[1] - range[0] || 1))));
  };
}

/** @param {HTMLCanvasElement} canvas @param {Frame} frame @param {Stats} stats @param {"limits" | "thermal"} mode @param {[number, number]} range @param {{warning: number, critical: number}} limits */
export function paint(canvas, frame, stats, mode, range, limits) {
  if (canvas.width !== frame.columns || canvas.height !== frame.rows) {
    canvas.width = frame.columns;
    canvas.height = frame.rows;
  }
  const c = canvas.getContext("2d");
  if (!c) return;
  const image = c.createImageData(frame.columns, frame.rows);
  const pick = colouring(mode, range, limits, stats);
  frame.values.forEach((v, i) => {
    const [r, g, b] = pick(v);
    image.data.set([r, g, b, 255], i * 4);
  });
  c.putImageData(image, 0, 0);
}
