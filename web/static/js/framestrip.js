// @ts-check
// The strip of frames: the maximum of each, coloured past a limit; a click or the arrow keys pick the time.
import { colour, sharp } from "./canvas.js";

/** @typedef {[number, number, number, number, number]} FrameRow t, min, max, mean, std */

/** @param {HTMLCanvasElement} canvas @param {FrameRow[]} rows @param {number} chosen index, -1 = the newest @param {{warning: number, critical: number}} limits */
export function drawStrip(canvas, rows, chosen, limits) {
  const area = sharp(canvas);
  if (!area || !rows.length) return;
  const { c, width, height } = area;
  const tops = rows.map((row) => row[2]);
  const walls = [limits.warning, limits.critical].filter(Number.isFinite);
  const low = Math.min(...rows.map((row) => row[3]), ...walls) - 2;
  const high = Math.max(...tops, ...walls) * 1.02;
  const y = (/** @type {number} */ v) => height - Math.max(0.04, (v - low) / (high - low)) * (height - 4);
  const step = width / rows.length;
  rows.forEach((row, i) => {
    c.fillStyle = colour(row[2] > limits.critical ? "crit" : row[2] > limits.warning ? "warn-fill" : "edge");
    c.fillRect(i * step + step * 0.12, y(row[2]), Math.max(1, step * 0.76), height - y(row[2]));
  });
  [[limits.warning, "warn"], [limits.critical, "crit"]].forEach(([v, token]) => {
    if (!Number.isFinite(v)) return;
    c.strokeStyle = colour(String(token));
    c.setLineDash([5, 4]);
    c.beginPath();
    c.moveTo(0, y(Number(v)));
    c.lineTo(width, y(Number(v)));
    c.stroke();
  });
  c.setLineDash([]);
  c.strokeStyle = colour("ink");
  c.lineWidth = 2;
  const at = chosen < 0 ? rows.length - 1 : chosen;
  c.strokeRect(at * step + 1, 1, Math.max(4, step - 1), height - 2);
}

/** Frames thinned to what fits: the loudest of each bucket, so that a hot one is never lost. @param {FrameRow[]} rows @param {number} most @returns {FrameRow[]} */
export function thin(rows, most) {
  if (rows.length <= most) return rows;
  const size = rows.length / most;
  return Array.from({ length: most }, (_unused, i) => rows.slice(Math.floor(i * size), Math.floor((i + 1) * size)).reduce((a, b) => (b[2] > a[2] ? b : a)));
}
