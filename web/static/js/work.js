// @ts-check
// One order on the phone: the value and its limit first, each danger confirmed, then START; afterwards the proof.
import { get } from "./api.js";
import { priorityMark } from "./chips.js";
import { advice } from "./diagnosis.js";
import { byId, code, fill, h, icon, setText, toast } from "./dom.js";
import { subscribe } from "./live.js";
import { sentence } from "./format.js";
import { LiveCard } from "./livecard.js";
import { everyTick, now } from "./now.js";
import { tagOfOrder } from "./ordercard.js";
import { proofBox } from "./proofbox.js";
import { pressOnce, sendOnce } from "./sending.js";
import { alerts, load, onChange, orders, take } from "./store.js";
import { _ } from "./words.js";

const number = document.body.dataset.number || "";
const path = `/api/work-orders/${number}`;
const me = Number(document.body.dataset.userId);
const go = /** @type {HTMLButtonElement} */ (byId("go"));
/** @type {any} */
let order = null;
/** @type {any[]} */
let steps = [];
/** @type {LiveCard | null} */
let live = null;
/** @type {Set<string>} */
const confirmed = new Set();

const SHAPES = new Set(["rotate", "heat", "lock", "bolt", "pressure", "flask"]);

/** @param {any} danger @param {number} i */
function dangerRow(danger, i) {
  const id = String(danger.id ?? i);
  const row = h("button", { class: "danger", type: "button", role: "checkbox", "aria-checked": String(confirmed.has(id)) }, icon(SHAPES.has(danger.icon) ? danger.icon : "warning-line"), h("span", {}, h("b", {}, danger.t), h("br"), h("span", { class: "quiet" }, danger.b || "")), h("span", { class: "box", "aria-hidden": "true" }, icon("tick")));
  row.addEventListener("click", () => {
    if (!confirmed.delete(id)) confirmed.add(id);
    row.setAttribute("aria-checked", String(confirmed.has(id)));
    showFoot();
  });
  return row;
}

const open = () => ["assigned", "open", "reopened", "requested"].includes(order.status);

function show() {
  fill(byId("priority"), priorityMark(order.priority));
  const why = order.alert ? [order.alert.title, order.alert.reason].filter(Boolean).join(" · ") : order.description;
  const tag = order.alert && tagOfOrder(order);
  if (tag && !live) live = new LiveCard(tag, null, why);
  const dangers = order.safety || [];
  const again = order.status === "reopened" || (order.reopen_reason && open());
  const facts = [order.est_min && _("{n} min", { n: order.est_min }), order.steps?.total && _("{n} steps", { n: order.steps.total }), ...steps.filter((step) => step.part).map((step) => `${step.part.qty} × ${step.part.sku}`)].filter(Boolean);
  fill(
    byId("work"),
    h("div", {}, h("p", { class: "instruction" }, order.title), h("p", { class: "where" }, code(order.asset.code), ` ${order.asset.name}`), h("p", { class: "quiet" }, icon("pin"), ` ${order.asset.place || order.asset.area}`)),
    again ? h("p", { class: "warn-band sev-danger" }, icon("critical-line"), h("span", {}, _("Reopened: {reason}", { reason: sentence(order.reopen_reason) }))) : null,
    order.proof && !(again && order.proof.state === "reopened") && proofBox(order, now()),
    live?.element,
    !live && why && h("p", {}, why),
    !["completed", "verified", "cancelled"].includes(order.status) && advice(order.alert && (alerts.get(order.alert.id) || order.alert)),
    open() && dangers.length > 0 && [h("h2", { class: "group" }, _("Confirm each danger")), h("div", { class: "card rows" }, dangers.map(dangerRow))],
    facts.length > 0 && h("p", { class: "facts-line" }, icon("clock"), facts.map((fact) => h("span", {}, fact))),
  );
  live?.tick(now());
  showFoot();
}

/** What the one big act is, and the sentence that says what is missing. */
function showFoot() {
  const mine = order.assigned_to?.id === me;
  const missing = open() ? (order.safety || []).length - confirmed.size : 0;
  const [word, hint] = foot(mine, missing);
  setText(go, word);
  setText(byId("hint"), hint || "\u00a0");
  go.disabled = missing > 0 && mine;
}

/** @param {boolean} mine @param {number} missing @returns {[string, string]} */
function foot(mine, missing) {
  if (order.status === "completed") return [_("MY WORK"), order.proof?.open ? _("The signal is judging the repair.") : ""];
  if (["verified", "cancelled"].includes(order.status)) return [_("MY WORK"), ""];
  if (!mine) return [order.assigned_to ? _("TAKE OVER") : _("TAKE IT"), order.assigned_to ? _("{name} has it now", { name: order.assigned_to.name }) : ""];
  if (order.status === "in_progress") return [_("CONTINUE"), ""];
  if (order.status === "on_hold") return [_("RESUME"), order.problem || order.hold_reason || ""];
  return [_("START"), missing === 1 ? _("Confirm 1 more danger to start") : missing > 1 ? _("Confirm {n} more dangers to start", { n: missing }) : ""];
}

/** The step to go on with, else the end. */
function nextPage() {
  const at = steps.findIndex((step) => step.open !== false && !step.done);
  return at < 0 ? `/work/${number}/finish` : `/work/${number}/steps/${at + 1}`;
}

/** @param {string} action @param {any} [body] */
const act = async (action, body = {}) => take("order", await sendOnce(`${path}/actions/${action}`, body));

go.addEventListener("click", () => {
  const mine = order.assigned_to?.id === me;
  if (["completed", "verified", "cancelled"].includes(order.status)) return location.assign("/mine");
  if (!mine) return pressOnce(go, () => act("assign", { assignee_id: me }).then(reload), toast);
  if (order.status === "in_progress") return location.assign(nextPage());
  return pressOnce(go, async () => {
    await act(order.status === "on_hold" ? "resume" : "start");
    await loadSteps();
    location.assign(nextPage());
  }, toast);
});

async function loadSteps() {
  steps = (await get(`${path}/steps`)).steps;
}

async function reload() {
  go.disabled = false;
  order = orders.get(order.id) || order;
  show();
}

onChange((fact) => {
  if (order && fact?.name === "alert.changed" && fact.id === order.alert?.id) show();
  const newest = order && orders.get(order.id);
  if (newest && newest !== order) {
    order = newest;
    go.disabled = false;
    show();
  }
});
let shownAt = 0;
everyTick((at) => {
  live?.tick(at);
  if (order?.proof?.open && at - shownAt > 1000) {
    shownAt = at;
    byId("work").querySelector(".proof-box")?.replaceWith(proofBox(order, at) || "");
  }
});
try {
  const [body] = await Promise.all([get(path), load("assets"), loadSteps()]);
  orders.set(body.id, body);
  order = body;
  const tag = tagOfOrder(order);
  subscribe(tag ? { tags: [tag.name] } : { assets: [order.asset.id] });
  show();
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
