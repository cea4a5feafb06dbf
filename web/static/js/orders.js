// @ts-check
// The work orders: a board of six lanes by state, or the same as a table; facts move the cards.
import { priorityMark, stateWord } from "./chips.js";
import { byId, code, empty, fill, h, icon, setText, toast } from "./dom.js";
import { moment } from "./format.js";
import { subscribe } from "./live.js";
import { everyTick, now } from "./now.js";
import { OrderCard, byUrgency, tagOfOrder } from "./ordercard.js";
import { assets, load, onChange, orders } from "./store.js";
import { _ } from "./words.js";
import { ApiError, post } from "./api.js";

/** @type {[string, () => string, string[]][]} */
const LANES = [
  ["requested", () => _("Requested"), ["requested"]],
  ["open", () => _("Open"), ["open", "reopened"]],
  ["assigned", () => _("Assigned"), ["assigned"]],
  ["progress", () => _("In progress"), ["in_progress"]],
  ["hold", () => _("On hold"), ["on_hold"]],
  ["proof", () => _("Proof and verified"), ["completed", "verified"]],
];
/** @type {Map<number, OrderCard>} */
const cards = new Map();
let view = "board";
let priority = "";

/** @param {any} a @param {any} b */
function before(a, b) {
  if (["completed", "verified"].includes(a.status)) return Number(b.status === "completed") - Number(a.status === "completed") || Date.parse(b.changed_at || b.created_at) - Date.parse(a.changed_at || a.created_at);
  return byUrgency(a, b);
}

/** @param {any} order */
function cardOf(order) {
  let card = cards.get(order.id);
  if (!card) cards.set(order.id, (card = new OrderCard(order)));
  else if (card.order !== order) card.update(order);
  card.tick(now());
  return card.element;
}

function shown() {
  return [...orders.values()].filter((order) => order.status !== "cancelled" && (!priority || order.priority === priority));
}

function show() {
  const all = shown();
  const open = all.filter((order) => !["completed", "verified"].includes(order.status));
  const late = open.filter((order) => order.due_at && Date.parse(order.due_at) < now()).length;
  setText(byId("order-counts"), _("{open} open · {late} overdue", { open: open.length, late }));
  byId("board").hidden = view !== "board";
  byId("table").hidden = view !== "table";
  if (view === "board") showBoard(all);
  else showTable(all);
}

/** @param {any[]} all */
function showBoard(all) {
  const lanes = LANES.map(([key, word, states]) => {
    const mine = all.filter((order) => states.includes(order.status)).sort(before);
    return h("section", { class: "lane", "aria-labelledby": `lane-${key}` }, h("h2", { id: `lane-${key}` }, word(), h("span", { class: "quiet" }, ` ${mine.length}`)), ...mine.slice(0, 40).map(cardOf));
  });
  fill(byId("board"), all.length ? lanes : empty(_("No orders yet.")));
}

/** @param {any[]} all */
function showTable(all) {
  const rows = all.sort((a, b) => b.id - a.id).map((o) =>
    h("tr", {}, h("td", {}, h("a", { class: "link", href: `/orders/${o.number}` }, code(o.number))), h("td", {}, priorityMark(o.priority)), h("td", {}, h("b", {}, o.title)), h("td", {}, code(o.asset.code)), h("td", {}, o.status === "verified" && o.verified_by === "signal" ? _("Proved by signal") : stateWord(o.status)), h("td", {}, o.assigned_to?.name || "—"), h("td", { class: "num" }, moment(o.due_at, now()))),
  );
  fill(byId("table-body"), rows);
}

byId("views").addEventListener("click", (event) => {
  const button = event.target instanceof HTMLElement ? event.target.closest("button") : null;
  if (!button) return;
  view = button.dataset.view || "board";
  for (const one of byId("views").querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
  show();
});
byId("priority").addEventListener("change", (event) => {
  priority = /** @type {HTMLSelectElement} */ (event.target).value;
  show();
});

function wireNew() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("order-dialog"));
  const form = /** @type {HTMLFormElement} */ (byId("order-form"));
  /** @type {HTMLButtonElement} */ (byId("new-order")).disabled = false; // alive only from here
  byId("new-order").hidden = !(document.body.dataset.rights || "").includes("orders.create");
  byId("new-order").addEventListener("click", () => dialog.showModal());
  byId("order-cancel").addEventListener("click", () => dialog.close());
  fill(byId("order-asset"), [...assets.values()].map((asset) => h("option", { value: asset.code }, `${asset.code} ${asset.name}`)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = byId("order-error");
    error.hidden = true;
    try {
      const order = await post("/api/work-orders", Object.fromEntries(new FormData(form)));
      location.assign(`/orders/${order.number}`);
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      fill(error, icon("critical-line"), problem.message);
      error.hidden = false;
    }
  });
}

onChange(show);
everyTick((at) => {
  for (const card of cards.values()) if (card.element.isConnected) card.tick(at);
});
try {
  await load("orders", "assets");
  show();
  wireNew();
  subscribe({ tags: [...new Set(shown().filter((o) => o.alert).map((o) => tagOfOrder(o)?.name).filter(Boolean))] });
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
