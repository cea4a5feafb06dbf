// @ts-check
// Screen 9: the end card: the proof while it runs, and how it ended, with the signal as its picture.

import { el, icon, seal, svg } from "../dom.js";
import { fetchEvidence } from "../feed.js";
import { setText, show } from "../frame.js";
import { clock, duration, number, t } from "../words.js";

const REFRESH_MS = 4000;

/** @param {any} app @param {any} task */
export function endCard(app, task) {
  let evidence = null;
  let without = false; // no signal belongs to this task
  let gone = false;
  let timer = 0;

  function draw() {
    const state = task.proof?.state ?? "";
    const proved = state === "proved";
    show({
      title: task.number ?? "",
      sub: `${task.asset.code} ${task.asset.name}`,
      content: [
        el("div", { class: proved ? "ending proved" : "ending" }, el("div", {}, mark(state), el("p", { class: "word" }, ...words(state))), evidence ? el("figure", { class: "chart" }, chart(evidence, proved)) : null),
        line(state),
      ],
      commands: [
        { say: "NEXT TASK", act: () => app.openTasks(), main: true, back: true },
        ...(evidence || without || !task.verdict ? [] : [{ say: "SHOW EVIDENCE", act: load }]),
      ],
    });
  }

  function words(state) {
    if (state === "proved") return [t("proved_1"), el("br"), t("proved_2")];
    if (state === "reopened") return [t("reopened_title")];
    if (state === "decision") return [t("decision_title")];
    return [t("done")];
  }

  function line(state) {
    const proof = task.proof;
    if (!proof) return el("p", { class: "line" }, t("closed"));
    if (state === "settling") return el("p", { class: "line" }, t("proof_settling"));
    if (state === "running") return el("div", {}, el("p", { class: "line progress-line" }, progressText(proof)), el("progress", { class: "progress", max: proof.required_s, value: proof.good_s, "aria-label": progressText(proof) }));
    if (state === "decision") return el("p", { class: "line" }, t("decision"));
    if (state === "reopened") return el("p", { class: "line" }, proof.reason ?? "");
    const after = lastAverage(evidence);
    const numbers = proof.before !== undefined && after !== null ? t("evidence", { before: number(proof.before, proof.dec), after: number(after, proof.dec), unit: proof.unit ?? "" }) : "";
    const limit = proof.limit !== undefined ? t("limit", { limit: number(proof.limit, proof.dec) }) : "";
    const seen = [numbers && el("b", {}, numbers), numbers && limit && ", ", limit, (numbers || limit) && ". "].filter(Boolean);
    return el("p", { class: "line" }, ...seen, t("closed"));
  }

  async function load() {
    clearTimeout(timer);
    if (!task.verdict || without) return; // born of no alert: no signal belongs to it
    try {
      evidence = await fetchEvidence(task.id);
      if (!gone) draw();
    } catch (error) {
      without = error.status === 404;
      if (without && !gone) draw();
    }
    if (!gone && !without && ["settling", "running"].includes(task.proof?.state)) timer = setTimeout(load, REFRESH_MS);
  }

  draw();
  load();
  return {
    onTask: (changed) => {
      if (changed && changed.state !== "done") app.openTask(task.id);
      else if (changed) {
        draw();
        load();
      }
    },
    tick: () => {
      const shown = document.querySelector(".progress-line");
      if (shown && task.proof) setText(shown, progressText(task.proof));
    },
    leave: () => {
      gone = true;
      clearTimeout(timer);
    },
  };
}

const progressText = (proof) => t("proof_running", { good: duration(proof.good_s), required: duration(proof.required_s) });

function mark(state) {
  if (state === "proved") return seal();
  const drawn = icon({ reopened: "octagon", decision: "triangle" }[state] ?? "tick");
  drawn.setAttribute("class", "seal");
  return drawn;
}

function lastAverage(evidence) {
  const from = evidence?.marks.proof_from;
  const inside = evidence?.points.filter((point) => from === undefined || point[0] >= from) ?? [];
  return inside.length ? inside.reduce((sum, point) => sum + point[2], 0) / inside.length : null;
}

const W = 640;
const H = 300;
const PAD = { left: 14, right: 14, top: 60, bottom: 42 };

/** The signal before, during and after: before in red, after in ink, the window behind it. */
function chart(evidence, proved) {
  const { points, marks, limit } = evidence;
  const highs = [...points.map((point) => point[3]), ...(limit ? [limit] : [])];
  const lows = [0, ...points.map((point) => point[1])];
  const top = Math.max(...highs) * 1.08 || 1;
  const low = Math.min(...lows);
  const x = (at) => PAD.left + ((at - evidence.from) / Math.max(1, evidence.to - evidence.from)) * (W - PAD.left - PAD.right);
  const y = (value) => H - PAD.bottom - ((value - low) / (top - low)) * (H - PAD.top - PAD.bottom);
  const line = (rows, name) => rows.length > 1 && svg("polyline", { class: name, points: rows.map((point) => `${x(point[0]).toFixed(1)},${y(point[2]).toFixed(1)}`).join(" ") });
  const cut = marks.done ?? evidence.to;
  const parts = [];
  if (marks.proof_from !== undefined) parts.push(...window_(marks, x, y(low), proved));
  if (limit) parts.push(svg("line", { class: "limit", x1: PAD.left, x2: W - PAD.right, y1: y(limit), y2: y(limit) }), svg("text", { x: PAD.left + 4, y: y(limit) - 8 }, number(limit, evidence.dec)));
  if (marks.done) parts.push(svg("line", { class: "mark", x1: x(marks.done), x2: x(marks.done), y1: PAD.top - 8, y2: y(low) }));
  parts.push(line(points.filter((point) => point[0] <= cut), "before"), line(points.filter((point) => point[0] > cut), "after"));
  parts.push(svg("line", { class: "axis", x1: PAD.left, x2: W - PAD.right, y1: y(low), y2: y(low) }));
  parts.push(svg("text", { x: PAD.left, y: H - 8 }, clock(new Date(evidence.from))), svg("text", { x: W - PAD.right, y: H - 8, "text-anchor": "end" }, clock(new Date(evidence.to))));
  return svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${t("chart")}: ${evidence.tag}` }, ...parts);
}

function window_(marks, x, foot, proved) {
  const from = x(marks.proof_from);
  const to = x(Math.max(marks.proof_to ?? marks.proof_from, marks.proof_from));
  const parts = [svg("rect", { class: "window", x: from, y: PAD.top - 20, width: Math.max(0, to - from), height: foot - PAD.top + 20 })];
  if (!proved) return parts;
  const held = t("in_range_for", { age: duration((marks.proof_to - marks.proof_from) / 1000) });
  const text = svg("text", { class: "held", x: Math.min((from + to) / 2, W - 110), y: PAD.top - 30, "text-anchor": "middle" }, held);
  return [...parts, svg("path", { class: "bracket", d: `M${from} ${PAD.top - 8} V${PAD.top - 20} H${to} V${PAD.top - 8}` }), text];
}
