// @ts-check
// The alarm bar: one line in a fixed slot, the loudest alarm with what, how much and since when; calm when there is none.
import { post, press } from "./api.js";
import { byId, code, fill, h, icon, setText, toast } from "./dom.js";
import { duration, ms, number, time } from "./format.js";
import { alerts, loud, take } from "./store.js";
import { SEVERITY, labelOf, normalRange } from "./tags.js";
import { figureOf, tagOf, wallOf } from "./figures.js";
import { _ } from "./words.js";

const bar = byId("alarm-bar");
/** @type {{alert: any, figure: HTMLElement, since: HTMLElement} | null} */
let shown = null;

/** @param {any} alert */
const href = (alert) => (alert.asset ? `/assets/${encodeURIComponent(alert.asset.code)}` : "/alarms");

/** @param {string} severity @param {number} count */
function countOf(severity, count) {
  const shape = severity === "advisory" ? "advisory" : severity;
  return h("span", {}, icon(shape, { critical: "crit", warning: "", advisory: "info" }[severity]), `${count} ${SEVERITY[severity]().toLowerCase()}`);
}

/** @param {any} alert @returns {HTMLElement} */
function actOf(alert) {
  const open = h("a", { class: "button", href: href(alert) }, _("Open"));
  const acknowledge = /** @type {HTMLButtonElement} */ (h("button", { class: "button main", type: "button" }, _("Acknowledge")));
  acknowledge.hidden = alert.acknowledged || !document.body.dataset.rights?.includes("alerts.acknowledge");
  acknowledge.addEventListener("click", () => press(acknowledge, async () => take("alert", await post(`/api/alerts/${alert.id}/acknowledge`)), toast));
  return h("span", { class: "alarm-acts" }, open, acknowledge);
}

/** @param {number} nowMs */
export function showAlarmBar(nowMs) {
  const all = loud();
  const alert = all[0];
  if (!alert) {
    showCalm(nowMs);
    return;
  }
  const back = alert.condition === "returned"; // the loudest is: nothing is wrong now, somebody has yet to take note
  bar.dataset.severity = back ? "returned" : alert.severity;
  const tag = tagOf(alert);
  const figure = h("b", { class: back ? "" : { critical: "crit", warning: "warn" }[/** @type {string} */ (alert.severity)] || "info" });
  const since = h("span", { class: "meta" });
  const active = all.filter((one) => one.condition === "active");
  const counts = ["critical", "warning", "advisory"].map((severity) => countOf(severity, active.filter((one) => one.severity === severity).length));
  if (back) counts.splice(0, 3, h("span", {}, _("{n} returned", { n: all.length })));
  const text = tag && alert.type === "rule_violation" ? labelOf(tag).toLowerCase() : alert.title || alert.reason || "";
  const what = [h("span", { class: "alarm-what" }, text), tag && h("span", { class: "alarm-figure" }, figure, limitText(alert, tag)), since];
  fill(
    bar,
    back ? h("div", { class: "alarm-word" }, icon("returned"), _("Returned")) : h("div", { class: "alarm-word" }, icon({ critical: "critical-line", warning: "warning-line" }[/** @type {string} */ (alert.severity)] || "advisory"), SEVERITY[alert.severity]()),
    h("p", { class: "alarm-text" }, h("b", {}, alert.asset && code(alert.asset.code), ` ${alert.asset?.name || _("System")}`), what),
    h("div", { class: "alarm-side" }, h("span", { class: "alarm-counts" }, counts), actOf(alert)),
  );
  shown = { alert, figure, since };
  tickAlarmBar(nowMs);
}

/** @param {any} alert @param {import("./tags.js").Tag} tag */
function limitText(alert, tag) {
  const range = normalRange(tag);
  if (alert.type !== "rule_violation") return range ? _(", normal {low} – {high}", { low: number(range[0], tag.decimals), high: number(range[1], tag.decimals) }) : "";
  if (alert.limit === null || alert.limit === undefined) return "";
  return `, ${wallOf(alert, tag)}`;
}

/** @param {number} nowMs */
function showCalm(nowMs) {
  delete bar.dataset.severity;
  shown = null;
  const last = Math.max(0, ...[...alerts.values()].map((alert) => ms(alert.raised_at) || 0));
  const text = last && last <= nowMs ? _("Nothing asks for a person. Last alarm {time}.", { time: time(last) }) : _("Nothing asks for a person.");
  fill(bar, h("p", { class: "alarm-calm" }, icon("tick"), h("b", {}, _("No active alarms")), text));
}

/** @param {number} nowMs */
export function tickAlarmBar(nowMs) {
  if (!shown) return;
  const { alert, figure, since } = shown;
  const now = figureOf(alert, nowMs);
  setText(figure, `${now.text} ${now.unit}`);
  if (alert.condition === "returned") setText(since, _("returned {time}", { time: time(alert.returned_at, true) }));
  else setText(since, _("since {time} · {duration}", { time: time(alert.raised_at, true), duration: duration(nowMs - ms(alert.raised_at)) }));
}
