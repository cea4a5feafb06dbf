// @ts-check
// What is drawn around the trace: normal range, limits, hatch while stopped, marker lane, proof window, state ribbon.
import { colour, hatch } from "./canvas.js";
import { duration, ms, number } from "./format.js";
import { now } from "./now.js";
import { spread } from "./spread.js";
import { drawEvents, px, text } from "./trendlane.js";
import { crossed, normalRange } from "./tags.js";
import { _ } from "./words.js";

/** @typedef {{alerts: any[], orders: any[], operating: any[], proof: any | null}} Marks */

/** @param {any} u @param {(c: CanvasRenderingContext2D, box: {left: number, top: number, width: number, height: number}, r: number) => void} draw */
function inPlot(u, draw) {
  const c = u.ctx;
  c.save();
  draw(c, u.bbox, devicePixelRatio || 1);
  c.restore();
}

/** @param {any} u @param {import("./tags.js").Tag} tag @param {Marks} marks */
export function drawBehind(u, tag, marks) {
  inPlot(u, (c, box) => {
    c.beginPath();
    c.rect(box.left, box.top, box.width, box.height);
    c.clip();
    const range = normalRange(tag);
    if (range) {
      const [top, bottom] = [u.valToPos(range[1], "y", true), u.valToPos(range[0], "y", true)];
      c.globalAlpha = 0.6;
      c.fillStyle = colour("track");
      c.fillRect(box.left, top, box.width, bottom - top);
      c.globalAlpha = 1;
    }
    for (const period of marks.operating) {
      if (period.operating !== "stopped") continue;
      drawStopped(c, px(u, ms(period.started_at)), px(u, ms(period.ended_at) || now()), box);
    }
    if (marks.proof) drawProof(u, c, box, marks.proof);
  });
}

/** @param {CanvasRenderingContext2D} c @param {number} from @param {number} to @param {any} box */
function drawStopped(c, from, to, box) {
  const r = devicePixelRatio || 1;
  hatch(c, from, box.top, to - from, box.height, 9 * r);
  if (to - from < 90 * r) return;
  const middle = (Math.max(from, box.left) + Math.min(to, box.left + box.width)) / 2;
  const y = box.top + box.height * 0.5;
  c.fillStyle = colour("surface");
  c.fillRect(middle - 36 * r, y - 13 * r, 72 * r, 20 * r);
  c.fillStyle = colour("text-2");
  text(c, _("stopped"), middle, y + r, r, "center", 500);
}

/** Soft teal for what is done, dashed outline for what is still to come. @param {any} u @param {CanvasRenderingContext2D} c @param {any} box @param {any} proof */
function drawProof(u, c, box, proof) {
  const start = px(u, ms(proof.started_at));
  const done = px(u, Math.min(now(), ms(proof.ended_at || proof.ends_at) || now()));
  const end = px(u, ms(proof.ends_at) || now());
  c.fillStyle = colour("proof-soft");
  c.fillRect(start, box.top, Math.max(0, done - start), box.height);
  if (end > done) {
    c.strokeStyle = colour("proof");
    c.setLineDash([4, 4]);
    c.strokeRect(done, box.top + 1, end - done, box.height - 2);
  }
}

/** @param {any} u @param {import("./tags.js").Tag} tag @param {Marks} marks */
export function drawFront(u, tag, marks) {
  inPlot(u, (c, box, r) => {
    drawLimits(u, c, box, r, tag);
    drawRibbon(u, c, box, r, marks.operating);
    drawEvents(u, c, box, r, marks);
    if (marks.proof) drawBracket(u, c, box, r, marks.proof);
    drawNewest(u, c, r, tag);
  });
}

/** @param {any} u @param {CanvasRenderingContext2D} c @param {any} box @param {number} r @param {import("./tags.js").Tag} tag */
function drawLimits(u, c, box, r, tag) {
  const word = { critical: _("Critical"), warning: _("Warning"), advisory: _("Advisory") };
  const walls = (tag.limits || []).map((limit) => ({ limit, y: u.valToPos(limit.value, "y", true) }));
  const seen = walls.filter(({ y }) => y >= box.top && y <= box.top + box.height).sort((a, b) => a.y - b.y || b.limit.value - a.limit.value);
  const labels = spread(seen.map(({ y }) => y), 30 * r, box.top, box.top + box.height);
  const end = box.left + box.width;
  seen.forEach(({ limit, y }, i) => {
    c.strokeStyle = c.fillStyle = colour({ critical: "crit", warning: "warn", advisory: "info" }[limit.severity]);
    c.lineWidth = 1.4 * r;
    c.setLineDash([6 * r, 4 * r]);
    c.beginPath();
    c.moveTo(box.left, y);
    c.lineTo(end, y);
    c.stroke();
    c.setLineDash([]);
    c.beginPath();
    c.moveTo(end, y);
    c.lineTo(end + 4 * r, labels[i]);
    c.stroke();
    text(c, word[limit.severity], end + 6 * r, labels[i] - 3 * r, r, "start", 600);
    text(c, number(limit.value, tag.decimals), end + 6 * r, labels[i] + 11 * r, r, "start");
  });
}

/** @param {any} u @param {CanvasRenderingContext2D} c @param {any} box @param {number} r @param {any[]} operating */
function drawRibbon(u, c, box, r, operating) {
  const y = box.top + box.height + 3 * r;
  for (const period of operating) {
    const from = Math.max(box.left, px(u, ms(period.started_at)));
    const to = Math.min(box.left + box.width, px(u, ms(period.ended_at) || now()));
    if (to <= from) continue;
    if (["stopped", "idle", "unknown"].includes(period.operating)) {
      hatch(c, from, y, to - from, 9 * r, 6 * r);
      c.strokeStyle = colour("hatch");
      c.lineWidth = 1;
      c.strokeRect(from, y, to - from, 9 * r);
    } else {
      c.fillStyle = colour(period.operating === "fault" ? "crit" : "band");
      c.fillRect(from, y, to - from, 9 * r);
    }
  }
}

/** @param {any} u @param {CanvasRenderingContext2D} c @param {any} box @param {number} r @param {any} proof */
function drawBracket(u, c, box, r, proof) {
  const from = Math.max(box.left, px(u, ms(proof.started_at)));
  const to = Math.min(box.left + box.width, px(u, ms(proof.ends_at) || now()));
  if (to <= box.left || from >= box.left + box.width) return;
  c.strokeStyle = c.fillStyle = colour("proof");
  c.lineWidth = 2 * r;
  c.beginPath();
  c.moveTo(from, box.top + 6 * r);
  c.lineTo(from, box.top + r);
  c.lineTo(to, box.top + r);
  c.lineTo(to, box.top + 6 * r);
  c.stroke();
  const middle = Math.min((from + to) / 2, box.left + box.width + 10 * r);
  text(c, _("Proof window"), middle, box.top - 62 * r, r, "center", 600);
  text(c, _("{done} of {all} good", { done: duration((proof.good_s || 0) * 1000), all: duration(proof.required_s * 1000) }), middle, box.top - 48 * r, r, "center");
}

/** @param {any} u @param {CanvasRenderingContext2D} c @param {number} r @param {import("./tags.js").Tag} tag */
function drawNewest(u, c, r, tag) {
  const [x, , , y] = u.data;
  const last = x.length - 1;
  if (last < 0 || y[last] === null) return;
  const limit = crossed(tag, y[last]);
  c.fillStyle = colour(!limit || limit.severity === "advisory" ? "trace" : limit.severity === "critical" ? "crit" : "warn");
  c.beginPath();
  c.arc(u.valToPos(x[last], "x", true), u.valToPos(y[last], "y", true), 3.4 * r, 0, 2 * Math.PI);
  c.fill();
}
