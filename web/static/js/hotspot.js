// @ts-check
// The ring, leader and label at the extreme of a heatmap; only where a limit is passed.
import { byId, fill, h } from "./dom.js";
import { number } from "./format.js";
import { _ } from "./words.js";

/** @param {string} name @param {Record<string, string | number>} attributes */
function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, v] of Object.entries(attributes)) element.setAttribute(key, String(v));
  return element;
}

/** @param {import("./heatmap.js").Frame} frame @param {import("./heatmap.js").Stats} stats @param {{warning: number, critical: number}} limits @param {number} decimals */
export function showExtreme(frame, stats, limits, decimals) {
  const overlay = byId("overlay");
  const label = byId("heat-label");
  const past = stats.max > limits.warning;
  label.hidden = !past;
  overlay.replaceChildren();
  if (!past) return;
  const box = byId("stage").getBoundingClientRect();
  overlay.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
  const x = ((stats.column + 0.5) / frame.columns) * box.width;
  const y = ((stats.row + 0.5) / frame.rows) * box.height;
  const r = Math.max(18, box.width * 0.075);
  const left = x > box.width / 2;
  const down = y < box.height * 0.7;
  const [lx, ly] = [Math.min(box.width - 60, Math.max(60, x + (left ? -1 : 1) * r * 1.6)), y + (down ? 1 : -1) * (r * 1.9)];
  const angle = Math.atan2(ly - y, lx - x);
  for (const cls of ["ring-halo", "ring"]) overlay.append(shape("circle", { class: cls, cx: x, cy: y, r }));
  overlay.append(shape("line", { class: "leader", x1: x + Math.cos(angle) * r, y1: y + Math.sin(angle) * r, x2: lx, y2: ly }));
  const beyond = frame.values.reduce((n, v) => n + (v > limits.warning ? 1 : 0), 0);
  fill(label, _("{v} {unit} at {x}, {y}", { v: number(stats.max, decimals), unit: frame.unit, x: stats.column, y: stats.row }), h("small", {}, _("{n} cells above {limit} {unit}", { n: beyond, limit: number(limits.warning, decimals), unit: frame.unit })));
  label.style.top = down ? `${ly}px` : "auto";
  label.style.bottom = down ? "auto" : `${box.height - ly}px`;
  label.style.left = `${Math.min(Math.max(4, lx - label.offsetWidth / 2), box.width - label.offsetWidth - 4)}px`;
}
