// @ts-check
// One work order in the control room: what, why, the signal, steps as they were answered, the proof and the acts.
import { get, post, press } from "./api.js";
import { priorityMark, stateWord } from "./chips.js";
import { diagnosisBox } from "./diagnosis.js";
import { byId, code, fill, h, icon, toast } from "./dom.js";
import { duration, moment, ms, number, sentence } from "./format.js";
import { subscribe } from "./live.js";
import { everyTick, now } from "./now.js";
import { OrderCard } from "./ordercard.js";
import { proofBox } from "./proofbox.js";
import { alerts, assets, load, onChange, orders, take } from "./store.js";
import { _ } from "./words.js";

const key = byId("head").dataset.number || "";
const path = `/api/work-orders/${key}`;
const rights = document.body.dataset.rights || "";
const me = Number(document.body.dataset.userId);
/** @type {any} */
let order = null;
/** @type {OrderCard | null} */
let card = null;
/** @type {any[]} */
let steps = [];

const CLOSED = new Set(["completed", "verified", "cancelled"]);
/** @type {Record<string, () => string>} */
const VERDICT = { confirmed: () => _("Yes, confirmed"), false: () => _("No, false alert"), something_else: () => _("Something else") };

/** @param {string} word @param {string} action @param {string} [cls] @param {any} [body] */
function act(word, action, cls = "", body = {}) {
  const button = /** @type {HTMLButtonElement} */ (h("button", { class: `button ${cls}`, type: "button" }, word));
  button.addEventListener("click", () => press(button, async () => take("order", await post(`${path}/actions/${action}`, body)), toast));
  return button;
}

/** An act that needs words: opens in place. @param {string} word @param {string} action @param {string} field @param {string} ask */
function actWithWords(word, action, field, ask) {
  const opener = h("button", { class: "button", type: "button", "aria-expanded": "false" }, word);
  opener.addEventListener("click", () => {
    const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: "why", maxlength: 500, autocomplete: "off" }));
    const go = /** @type {HTMLButtonElement} */ (h("button", { class: "button main", type: "submit" }, `${word} ${order.number}`));
    const form = h("form", { class: "row wrap" }, h("div", { class: "field" }, h("label", { for: "why" }, ask), input), go, h("button", { class: "button calm", type: "button", onclick: () => fill(byId("act-form")) }, _("Cancel")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      press(go, async () => { take("order", await post(`${path}/actions/${action}`, { [field]: input.value.trim() })); fill(byId("act-form")); }, toast);
    });
    fill(byId("act-form"), form);
    input.focus();
  });
  return opener;
}

function acts() {
  const o = order;
  const mine = o.assigned_to?.id === me;
  const open = ["open", "assigned", "reopened", "requested"].includes(o.status);
  return [
    rights.includes("orders.work") && open && !mine && act(o.assigned_to ? _("Take over") : _("Take it"), "assign", "", { assignee_id: me }),
    rights.includes("orders.work") && mine && o.status !== "completed" && o.status !== "verified" && h("a", { class: "button main", href: `/work/${o.number}` }, _("Work on it")),
    rights.includes("orders.verify") && o.status === "completed" && !o.proof?.open && actWithWords(_("Verify"), "verify", "notes", _("What shows that it is done?")),
    rights.includes("orders.verify") && ["completed", "verified"].includes(o.status) && actWithWords(_("Reopen"), "reopen", "reason", _("Why is it not done?")),
    rights.includes("orders.assign") && (open || o.status === "on_hold") && actWithWords(_("Cancel order"), "cancel", "reason", _("Why is it not needed?")),
  ];
}

/** @param {string} word @param {import("./dom.js").Child} what */
const row = (word, what) => (what ? [h("dt", {}, word), h("dd", {}, what)] : []);

/** What was booked, else what was said at completion, else the time from start to end. @param {any} o */
function timeSpent(o) {
  const minutes = o.labour_min || o.actual_min;
  if (minutes) return duration(minutes * 60_000);
  return o.started_at && o.completed_at && duration(ms(o.completed_at) - ms(o.started_at));
}

function show() {
  const o = order;
  fill(byId("title"), o.title);
  fill(byId("chips"), priorityMark(o.priority), h("span", { class: "chip" }, stateWord(o.status)), o.verified_by === "signal" && h("span", { class: "chip chip-proof" }, icon("seal"), _("Proved by signal")));
  fill(byId("acts"), acts());
  fill(byId("proof"), proofBox(o, now()), !o.proof?.open && o.status === "verified" && o.verified_by !== "signal" && h("p", { class: "card card-pad row" }, icon("tick"), _("Verified by {name}", { name: o.verified_by || "—" })));
  fill(
    byId("facts"),
    row(_("Asset"), h("a", { class: "link", href: `/assets/${encodeURIComponent(o.asset.code)}` }, code(o.asset.code), ` ${o.asset.name}`)),
    row(_("Place"), o.asset.place),
    row(_("Why"), o.alert && [o.alert.title, o.alert.reason].filter(Boolean).join(" · ")),
    !CLOSED.has(o.status) && row(_("What to do"), diagnosisBox(o.alert && (alerts.get(o.alert.id) || o.alert))),
    row(_("Who"), o.assigned_to?.name || _("Nobody yet")),
    row(_("Team"), o.team),
    row(_("Due"), o.due_at && moment(o.due_at, now())),
    row(_("Occurrences"), o.occurrences > 0 && String(o.occurrences)),
    row(_("Repeats"), o.repeat_of && h("a", { class: "link", href: `/orders/${o.repeat_of}` }, o.repeat_of)),
    row(_("Time"), timeSpent(o)),
    row(_("Was the alert right?"), o.verdict && (VERDICT[o.verdict]?.() || o.verdict)),
    row(_("What was done"), o.notes),
    row(_("On hold"), o.status === "on_hold" && (o.problem || o.hold_reason)),
    row(_("Reopened"), o.proof?.state !== "reopened" && sentence(o.reopen_reason)) /* else the proof says it */,
    row(_("Cancelled"), o.cancel_reason),
  );
  showHistory();
}

function showHistory() {
  const times = [["created_at", _("Opened by {name}", { name: order.created_by || "system" })], ["assigned_at", _("Assigned to {name}", { name: order.assigned_to?.name || "—" })], ["started_at", _("Work started")], ["completed_at", _("Completed")], ["verified_at", order.verified_by === "signal" ? _("Proved by signal") : _("Verified by {name}", { name: order.verified_by || "—" })], ["reopened_at", _("Reopened")], ["cancelled_at", _("Cancelled")]];
  const rows = times.filter(([name]) => order[name]).sort((a, b) => ms(order[a[0]]) - ms(order[b[0]]));
  fill(byId("timeline"), rows.map(([name, word]) => h("li", {}, h("span", { class: "quiet" }, moment(order[name], now())), h("span", {}, word))));
}

/** @param {any} step */
function answerOf(step) {
  const a = step.answer;
  if (!a) return step.done ? _("done") : "—";
  const option = step.opt?.find((/** @type {any} */ one) => one.k === a.option)?.t || a.option;
  const figure = typeof a.value === "number" ? `${number(a.value, step.in?.dec ?? (Number.isInteger(a.value) ? 0 : 2))} ${a.unit || step.in?.unit || ""}` : a.value;
  const what = [figure, option, a.code, a.note].filter((part) => part !== null && part !== undefined && part !== "").join(" · ") || _("done");
  return [what, a.who, a.at && moment(a.at, now())].filter(Boolean).join(" · ");
}

function showSteps() {
  const rows = steps.map((step, i) => h("li", {}, icon(step.done ? (step.answer?.ok === false ? "warning-line" : "tick") : "circle", step.answer?.ok === false ? "warn" : ""), h("span", {}, h("b", {}, `${step.n ?? i + 1}. `), step.t), h("span", { class: "quiet" }, answerOf(step))));
  fill(byId("steps"), rows.length ? rows : h("li", { class: "quiet" }, _("No procedure.")));
}

async function loadSteps() {
  steps = (await get(`${path}/steps`)).steps;
  showSteps();
}

onChange((fact) => {
  if (order && fact?.name === "alert.changed" && fact.id === order.alert?.id) show();
  const newest = order && orders.get(order.id);
  if (!newest || newest === order) return;
  const moved = newest.steps?.done !== order.steps?.done || newest.status !== order.status;
  order = newest;
  card?.update(order);
  show();
  if (moved) loadSteps().catch(() => {});
});
everyTick((at) => {
  card?.tick(at);
  if (order?.proof?.open) fill(byId("proof"), proofBox(order, at));
});
try {
  const [body] = await Promise.all([get(path), load("assets", "orders")]);
  orders.set(body.id, body);
  order = body;
  card = new OrderCard(order);
  if (order.alert) fill(byId("signal"), card.element);
  const names = assets.get(order.asset.id)?.tags.filter((/** @type {any} */ tag) => tag.kind === "f64").map((/** @type {any} */ tag) => tag.name);
  subscribe({ tags: names || [] });
  show();
  await loadSteps();
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
