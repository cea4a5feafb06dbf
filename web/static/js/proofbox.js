// @ts-check
// The proof of repair as a box: settling, good minutes so far, proved, reopened or a person must decide.
import { h, icon } from "./dom.js";
import { duration, ms, sentence as said } from "./format.js";
import { _ } from "./words.js";

const DONE = new Set(["proved", "verified"]);

/** Where a proof window lies: from the end of settling to where it will end if all stays good. @param {any} proof @param {number} nowMs */
export function proofSpan(proof, nowMs) {
  const start = ms(proof.settle_until) || ms(proof.started_at) + (proof.settle_s || 0) * 1000;
  const left = Math.max(0, proof.required_s - (proof.good_s || 0)) * 1000;
  const open = ["settling", "running", "watching"].includes(proof.state);
  const end = open ? Math.max(start, nowMs) + left : ms(proof.ends_at) || start + proof.required_s * 1000;
  return { start, end, open };
}

/** @param {any} proof @param {any} order @param {number} nowMs @returns {[string, string, string, string]} class, icon, title, sentence */
function wording(proof, order, nowMs) {
  const tags = (proof.tags || []).join(", ");
  if (DONE.has(proof.state)) return ["", "seal", _("Proved by signal"), _("{tags} stayed inside the limits for {time} of running.", { tags, time: duration(proof.required_s * 1000) })];
  if (proof.state === "reopened") return ["is-critical", "critical-line", _("Reopened"), said(proof.reason || order.reopen_reason)];
  if (proof.state === "decision") return ["is-warning", "warning-line", _("Decision needed"), said(proof.reason) || _("Not enough good data. A person other than the one who completed it decides.")];
  if (proof.state === "settling") return ["", "seal", _("Proof of repair"), _("Settling for {time} more, then {tags} must hold.", { time: duration(Math.max(0, ms(proof.settle_until) - nowMs)), tags })];
  return ["", "seal", _("Proof of repair"), _("{tags} inside limits while running.", { tags })];
}

/**
 * @param {any} order with a proof
 * @param {number} nowMs
 * @returns {HTMLElement | null} null when a person closed it without a proof
 */
export function proofBox(order, nowMs) {
  const proof = order.proof;
  if (!proof || proof.state === "ended") return null;
  const [cls, shape, title, sentence] = wording(proof, order, nowMs);
  const open = ["settling", "running", "watching"].includes(proof.state);
  const bar = h("p", { class: "meter teal", "aria-hidden": "true" }, h("span", {}));
  const inner = /** @type {HTMLElement} */ (bar.firstElementChild);
  inner.style.width = `${Math.min(100, ((proof.good_s || 0) / proof.required_s) * 100)}%`;
  return h(
    "section",
    { class: `proof-box ${cls}`, role: "status" },
    h("div", { class: "row" }, icon(shape, cls ? "" : "seal"), h("h2", {}, title), h("a", { class: "end quiet", href: `/orders/${order.number}` }, order.number)),
    open && bar,
    open && h("p", { class: "strong" }, _("{done} of {all}", { done: duration((proof.good_s || 0) * 1000), all: duration(proof.required_s * 1000) })),
    h("p", { class: "quiet" }, sentence),
  );
}
