// @ts-check
// The lane above the trend: what happened, each with its shape, word and a hairline through the plot.
import { colour } from "./canvas.js";
import { ms, time } from "./format.js";
import { _ } from "./words.js";

/** @typedef {{at: number, shape: string, word: string, more: string, hue: string}} Event */

const OCTAGON = "M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5zM7.1 3.6v5.6h1.8V3.6zM8 10.5a1.15 1.15 0 1 0 0 2.3 1.15 1.15 0 0 0 0-2.3z";
const STROKES = { start: "M13.8 4.2 11.6 6.4 9.6 4.4l2.2-2.2a3.9 3.9 0 0 0-5 5L2 12l2 2 4.8-4.8a3.9 3.9 0 0 0 5-5z", done: "m2.5 8.5 3.7 3.7 7.3-8" };

/** @param {any} u @param {number} t ms */
export const px = (u, t) => u.valToPos(t / 1000, "x", true);

/** @param {CanvasRenderingContext2D} c @param {Event} event @param {number} x @param {number} y @param {number} r */
function drawShape(c, event, x, y, r) {
  c.save();
  c.translate(x - 8 * r, y - 8 * r);
  c.scale(r, r);
  c.fillStyle = colour("surface");
  c.fillRect(-1, -1, 18, 18);
  c.fillStyle = c.strokeStyle = colour(event.hue);
  c.lineWidth = 1.6;
  c.lineJoin = c.lineCap = "round";
  if (event.shape === "alert") c.fill(new Path2D(OCTAGON), "evenodd");
  else c.stroke(new Path2D(STROKES[/** @type {keyof typeof STROKES} */ (event.shape)]));
  c.restore();
}

/** @param {CanvasRenderingContext2D} c @param {string} words @param {number} x @param {number} y @param {number} r @param {CanvasTextAlign} align @param {number} [weight] */
export function text(c, words, x, y, r, align, weight = 400) {
  c.font = `${weight} ${12 * r}px ${getComputedStyle(document.body).fontFamily}`;
  c.textAlign = align;
  c.textBaseline = "alphabetic";
  c.fillText(words, x, y);
}

/** @param {import("./trendmarks.js").Marks} marks @returns {Event[]} */
function events(marks) {
  const list = marks.alerts.filter((a) => !a.watch).map((a) => ({ at: ms(a.raised_at), shape: "alert", word: _("Alert"), more: time(a.raised_at), hue: a.severity === "critical" ? "crit" : a.severity === "warning" ? "warn" : "info" }));
  for (const order of marks.orders) {
    if (order.started_at) list.push({ at: ms(order.started_at), shape: "start", word: _("Work start"), more: `${time(order.started_at)} ${order.number}`, hue: "ink" });
    if (order.completed_at) list.push({ at: ms(order.completed_at), shape: "done", word: _("Completed"), more: time(order.completed_at), hue: "ink" });
  }
  return list.filter((event) => event.at).sort((a, b) => a.at - b.at);
}

/** A hairline each; words where they fit, "3 events" where they would collide. @param {any} u @param {CanvasRenderingContext2D} c @param {any} box @param {number} r @param {import("./trendmarks.js").Marks} marks */
export function drawEvents(u, c, box, r, marks) {
  const seen = events(marks).filter((event) => px(u, event.at) >= box.left && px(u, event.at) <= box.left + box.width);
  /** @type {Event[][]} */
  const groups = [];
  for (const event of seen) {
    const last = groups[groups.length - 1];
    if (last && px(u, event.at) - px(u, last[0].at) < 84 * r) last.push(event);
    else groups.push([event]);
  }
  for (const group of groups) {
    for (const event of group) {
      c.strokeStyle = colour(event.hue);
      c.lineWidth = 1 * r;
      c.beginPath();
      c.moveTo(px(u, event.at), box.top - 10 * r);
      c.lineTo(px(u, event.at), box.top + box.height);
      c.stroke();
    }
    const first = group[0];
    const x = px(u, first.at);
    const align = x > box.left + box.width - 90 * r ? "end" : "start";
    const at = align === "start" ? x + 11 * r : x - 11 * r;
    drawShape(c, group[0], x, box.top - 20 * r, r);
    c.fillStyle = colour(group.some((event) => event.hue === "crit") ? "crit" : first.hue);
    text(c, group.length === 1 ? first.word : _("{n} events", { n: group.length }), at, box.top - 26 * r, r, align, 600);
    c.fillStyle = colour("text-2");
    text(c, group.length === 1 ? first.more : `${time(first.at)} – ${time(group[group.length - 1].at)}`, at, box.top - 12 * r, r, align);
  }
}

