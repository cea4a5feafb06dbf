// @ts-check
// The side of an asset's page: chips, health with its reasons, open alarms, work and the proof; and its two dialogs.
import { ApiError, post, press } from "./api.js";
import { maintenanceChip, operatingChip, severityChip, stateWord, typeWord } from "./chips.js";
import { advice } from "./diagnosis.js";
import { byId, fill, h, icon, setText, toast } from "./dom.js";
import { duration, moment, ms } from "./format.js";
import { now } from "./now.js";
import { proofBox } from "./proofbox.js";
import { alerts, concerns, louder, orders, take } from "./store.js";
import { _ } from "./words.js";

const rights = document.body.dataset.rights || "";

/** @param {any} asset */
const alarmsOf = (asset) => [...alerts.values()].filter((alert) => concerns(alert, asset.id) && !alert.suppressed).sort(louder);

/** @param {any} asset */
export const ordersOf = (asset) => [...orders.values()].filter((order) => order.asset?.id === asset.id).sort((a, b) => b.id - a.id);

/** @param {any} asset */
export function showSide(asset) {
  const alarms = alarmsOf(asset);
  const worst = alarms.find((alert) => alert.condition === "active" && !alert.watch && alert.severity !== "advisory");
  const since = asset.operating_since ? _("for {time}", { time: duration(now() - ms(asset.operating_since)) }) : "";
  fill(byId("chips"), operatingChip(asset, true, since), maintenanceChip(asset.maintenance), worst && severityChip(worst.severity, worst.acknowledged, typeWord(worst)));
  showHealth(asset.health || {});
  fill(byId("asset-alarms"), alarms.length ? alarms.map(alarmRow) : h("li", { class: "quiet" }, _("No open alarms.")));
  const work = ordersOf(asset);
  fill(byId("work"), work.length ? work.slice(0, 8).map(workRow) : h("li", { class: "quiet" }, _("No orders yet.")));
  const proving = work.find((order) => order.proof && (order.status === "completed" || now() - ms(order.verified_at || order.reopened_at) < 3600e3));
  const again = asset.maintenance === "faulty" && proving?.status === "verified"; // a later order waits: what was proved is past
  fill(byId("proof"), proving && !again && proofBox(proving, now()));
}

/** @param {any} health */
function showHealth(health) {
  setText(byId("score"), health.score === null || health.score === undefined ? "—" : String(health.score));
  setText(byId("score-word"), health.word || _("Not known yet"));
  byId("score-bar").style.width = `${health.score || 0}%`;
  const rows = (health.reasons || []).map((/** @type {any} */ r) => h("li", {}, h("b", {}, `\u2212${r.points}`), h("span", {}, r.text)));
  fill(byId("reasons"), rows);
}

/** @param {any} alert */
function alarmRow(alert) {
  const button = /** @type {HTMLButtonElement} */ (h("button", { class: "button main", type: "button" }, _("Acknowledge")));
  button.addEventListener("click", () => press(button, async () => take("alert", await post(`/api/alerts/${alert.id}/acknowledge`)), toast));
  const state = alert.watch ? _("watch list") : alert.acknowledged ? _("acknowledged by {name}", { name: alert.acknowledged_by }) : alert.condition === "returned" ? _("returned") : _("not acknowledged");
  const back = alert.condition === "returned"; // nothing is wrong now: no severity shape, no hue
  return h(
    "li",
    {},
    back ? icon("returned") : icon(alert.severity === "advisory" ? "advisory" : alert.acknowledged ? `${alert.severity}-line` : alert.severity, alert.severity === "critical" ? "crit" : alert.severity === "advisory" ? "info" : "warn"),
    h("span", {}, h("b", {}, alert.title), h("br"), h("span", { class: "quiet" }, [alert.reason, moment(alert.raised_at, now()), state].filter(Boolean).join(" · "))),
    !alert.acknowledged && rights.includes("alerts.acknowledge") && !alert.watch ? button : h("span", {}),
    !back && advice(alert),
  );
}

/** @param {any} order */
function workRow(order) {
  const proved = order.verified_by === "signal";
  const proving = order.status === "completed" && order.proof;
  const shape = proved || proving ? "seal" : order.status === "verified" ? "tick" : order.status === "on_hold" ? "clock" : "wrench";
  const word = proved ? _("Proved") : proving ? _("Proving") : stateWord(order.status);
  const who = order.status === "verified" && !proved ? order.verified_by : order.assigned_to?.name || _("nobody yet");
  const when = order.verified_at || order.completed_at || order.started_at || order.created_at;
  return h(
    "li",
    {},
    icon(shape, proved || proving ? "proof" : ""),
    h("span", {}, h("a", { class: "strong", href: `/orders/${order.number}` }, order.title), h("br"), h("span", { class: "quiet" }, `${order.number} · ${who} · ${moment(when, now())}`)),
    h("span", { class: proved || proving ? "state proof strong" : "state" }, word),
  );
}

/** New order and QR code. @param {any} asset */
export function wireDialogs(asset) {
  const qr = /** @type {HTMLDialogElement} */ (byId("qr-dialog"));
  const dialog = /** @type {HTMLDialogElement} */ (byId("order-dialog"));
  const form = /** @type {HTMLFormElement} */ (byId("order-form"));
  for (const id of ["qr-open", "new-order"]) /** @type {HTMLButtonElement} */ (byId(id)).disabled = false; // alive only from here
  byId("qr-open").addEventListener("click", () => qr.showModal());
  byId("new-order").hidden = !rights.includes("orders.create");
  byId("new-order").addEventListener("click", () => dialog.showModal());
  byId("order-cancel").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = byId("order-error");
    error.hidden = true;
    try {
      const order = await post("/api/work-orders", { asset: asset.code, ...Object.fromEntries(new FormData(form)) });
      location.assign(`/orders/${order.number}`);
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      fill(error, icon("critical-line"), problem.message);
      error.hidden = false;
    }
  });
}
