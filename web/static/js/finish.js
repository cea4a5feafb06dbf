// @ts-check
// The end of an order: summary filled in, verdict one tap, note with a default, and what happens next: the proof.
import { get } from "./api.js";
import { byId, code, fill, h, icon, toast } from "./dom.js";
import { duration, ms, number as figure } from "./format.js";
import { subscribe, value } from "./live.js";
import { everyTick, now } from "./now.js";
import { tagOfOrder } from "./ordercard.js";
import { pressOnce, sendOnce } from "./sending.js";
import { load, orders } from "./store.js";
import { judge } from "./tags.js";
import { _ } from "./words.js";

const number = document.body.dataset.number || "";
const path = `/api/work-orders/${number}`;
const form = /** @type {HTMLFormElement} */ (byId("finish"));
const button = /** @type {HTMLButtonElement} */ (byId("complete"));
const notes = /** @type {HTMLTextAreaElement} */ (byId("notes"));
/** @type {any} */
let order = null;
/** @type {any[]} */
let steps = [];
/** @type {{sku: string, qty: number}[]} */
let parts = [];

/** @param {string} word @param {import("./dom.js").Child[]} shown */
const box = (word, ...shown) => h("div", {}, h("span", { class: "quiet" }, word), h("br"), ...shown);

/** @param {number} nowMs */
function showSummary(nowMs) {
  const tag = tagOfOrder(order);
  const judged = tag && judge(tag, value(tag.name), nowMs);
  fill(
    byId("summary"),
    box(_("Time"), h("b", {}, order.started_at ? duration(nowMs - ms(order.started_at)) : "—")),
    box(_("Steps"), h("b", {}, _("{done} of {total}", { done: steps.filter((step) => step.done).length, total: steps.length }))),
    box(tag?.label || _("Signal"), h("b", {}, judged ? judged.text : "—"), " ", tag ? code(tag.unit, "quiet") : null),
  );
}

/** @param {any} step */
function sentence(step) {
  const a = step.answer;
  const option = step.opt?.find((/** @type {any} */ one) => one.k === a.option);
  if (option) return `${option.t}.`;
  if (step.k === "part") return a.value ? _("Fitted {n} × {part}.", { n: a.value, part: step.part?.sku || "" }) : "";
  if (typeof a.value === "number") return `${step.t.replace(/\.$/, "")}: ${[figure(a.value, step.in?.dec ?? 2), a.unit || step.in?.unit].filter(Boolean).join(" ")}.`;
  return a.option === "fail" ? `${step.t} ${a.note || ""}` : typeof a.value === "string" ? a.value : "";
}

function showParts() {
  const rows = parts.map((part) => {
    const shown = h("b", { "aria-live": "polite" }, String(part.qty));
    const move = (/** @type {number} */ by) => { part.qty = Math.max(0, part.qty + by); shown.textContent = String(part.qty); };
    return h("div", { class: "card stepper" }, h("span", {}, part.sku), h("button", { type: "button", "aria-label": _("One less {part}", { part: part.sku }), onclick: () => move(-1) }, icon("minus")), shown, h("button", { type: "button", "aria-label": _("One more {part}", { part: part.sku }), onclick: () => move(1) }, icon("plus")));
  });
  fill(byId("parts"), rows.length > 0 && h("p", { class: "group" }, _("Parts used")), rows);
}

const verdict = () => /** @type {HTMLInputElement | null} */ (form.querySelector("input[name=verdict]:checked"))?.value;

function check() {
  const lacks = order.alert && !verdict() ? _("Say whether the alert was right") : notes.value.trim() ? "" : _("Say what you did");
  byId("hint").textContent = lacks || "\u00a0";
  button.disabled = Boolean(lacks);
}

form.addEventListener("input", check);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const minutes = order.started_at && !order.labour_min ? Math.max(1, Math.round((now() - ms(order.started_at)) / 60e3)) : undefined;
  const body = { notes: notes.value.trim(), verdict: verdict(), actual_minutes: minutes, parts: parts.filter((part) => part.qty > 0) };
  pressOnce(
    button,
    async () => {
      await sendOnce(`${path}/actions/complete`, body);
      location.assign(`/work/${number}`);
    },
    (message) => {
      fill(byId("error"), icon("critical-line"), message);
      byId("error").hidden = false;
    },
  );
});

everyTick((at) => order && showSummary(at));
try {
  const [body, answered] = await Promise.all([get(path), get(`${path}/steps`), load("assets")]);
  orders.set(body.id, body);
  order = body;
  steps = answered.steps;
  const tag = tagOfOrder(order);
  if (tag) subscribe({ tags: [tag.name] });
  byId("verdict-box").hidden = !order.alert;
  parts = steps.filter((step) => step.part && step.answer).map((step) => ({ sku: step.part.sku, qty: Number(step.answer.value ?? step.part.qty) }));
  notes.value = steps.filter((step) => step.answer).map(sentence).filter(Boolean).join(" ");
  const proofS = Number(form.dataset.proofS);
  const words = order.alert ? [_("Proof starts now"), _("{code} must stay in range for {time} of running.", { code: order.asset.code, time: duration(proofS * 1000) })] : [_("A person verifies it"), _("Somebody other than you looks at it.")];
  fill(byId("next"), h("div", { class: order.alert ? "proof-box" : "card card-pad" }, h("h2", { class: "row" }, icon(order.alert ? "seal" : "tick"), words[0]), h("p", { class: "quiet" }, words[1])));
  showParts();
  showSummary(now());
  check();
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
