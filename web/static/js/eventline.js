// @ts-check
// One fact as one line that people read: an icon, what happened, and a little more.
import { duration, ms, number } from "./format.js";
import { _ } from "./words.js";

/** @typedef {{shape: string, hue: string, text: string, more: string}} Line */

/** @param {any} alert */
const what = (alert) => [alert.title?.startsWith(alert.asset?.code) ? "" : alert.asset?.code, alert.title].filter(Boolean).join(" ");
/** @type {Record<string, string>} */
const HUE = { critical: "crit", warning: "", advisory: "info" };

/** @type {Record<string, (data: any, fact: any) => Line>} */
const LINES = {
  "alert.raised": (a) => ({ shape: a.severity, hue: HUE[a.severity] || "", text: what(a), more: a.watch ? _("watch list") : valueOf(a) }),
  "alert.acknowledged": (a, f) => ({ shape: a.severity === "advisory" ? "advisory" : `${a.severity}-line`, hue: "", text: what(a), more: _("acknowledged by {name}", { name: a.acknowledged_by || f.by }) }),
  "alert.returned": (a) => ({ shape: "returned", hue: "", text: what(a), more: _("returned to normal") }),
  "alert.shelved": (a, f) => ({ shape: "clock", hue: "", text: what(a), more: a.shelved_until ? _("shelved by {name}", { name: a.shelved_by || f.by }) : _("no longer shelved") }),
  "alert.suppressed": (a) => ({ shape: "clock", hue: "", text: what(a), more: a.suppressed === "flood" ? _("held back in a flood") : a.suppressed ? _("held back: work on the machine") : _("no longer held back") }),
  "alert.resolved": (a, f) => ({ shape: "tick", hue: "", text: what(a), more: _("resolved by {name}", { name: f.by }) }),
  "work_order.opened": (o) => ({ shape: "wrench", hue: "", text: _("{number} opened, {priority}", { number: o.number, priority: o.priority }), more: `${o.asset?.code}: ${o.title}` }),
  "work_order.assigned": (o) => ({ shape: "wrench", hue: "", text: o.assigned_to ? _("{number} to {name}", { number: o.number, name: o.assigned_to.name }) : o.number, more: `${o.asset?.code}: ${o.title}` }),
  "work_order.completed": (o, f) => ({ shape: "tick", hue: "", text: _("{number} completed", { number: o.number }), more: _("{name}, after {time}", { name: f.by, time: duration(ms(o.completed_at) - ms(o.started_at || o.created_at)) }) }),
  "work_order.verified": (o) => provedLine(o),
  "work_order.reopened": (o) => ({ shape: "critical-line", hue: "crit", text: _("{number} reopened", { number: o.number }), more: o.proof?.reason || o.reopen_reason || "" }),
  "source.lost": (s) => ({ shape: "cut", hue: "", text: _("Source {name} lost", { name: s.source || s.name || "" }), more: s.detail || s.reason || "" }),
  "source.recovered": (s) => ({ shape: "tick", hue: "", text: _("Source {name} is back", { name: s.source || s.name || "" }), more: "" }),
};

/** @param {any} alert */
function valueOf(alert) {
  if (alert.value === null || alert.value === undefined) return alert.type === "source_lost" ? "" : alert.reason || "";
  return `${number(alert.value, alert.decimals ?? 2)} ${alert.unit || ""}`;
}

/** @param {any} order @returns {Line} */
function provedLine(order) {
  if (order.verified_by === "signal") return { shape: "seal", hue: "proof", text: _("{number} proved by signal", { number: order.number }), more: `${order.asset?.code}: ${order.title}` };
  return { shape: "tick", hue: "", text: _("{number} verified by {name}", { number: order.number, name: order.verified_by || "" }), more: `${order.asset?.code}: ${order.title}` };
}

const STATUS_LINES = { in_progress: () => _("work started"), on_hold: () => _("on hold") };

/** The line of a fact; null for facts that people need not read. @param {any} fact @returns {any} */
export function eventLine(fact) {
  if (fact.name === "work_order.changed") {
    const text = STATUS_LINES[/** @type {keyof typeof STATUS_LINES} */ (fact.data.status)];
    if (!text || fact.data.steps?.done) return null;
    return { shape: "wrench", hue: "", text: `${fact.data.number} ${text()}`, more: `${fact.by} · ${fact.data.asset?.code}` };
  }
  return LINES[fact.name]?.(fact.data, fact) || null;
}
