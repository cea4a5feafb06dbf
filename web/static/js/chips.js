// @ts-check
// Chips: colour, shape and word together. Filled = nobody has acknowledged; outlined = acknowledged.
import { h, icon } from "./dom.js";
import { SEVERITY } from "./tags.js";
import { _ } from "./words.js";

/** @type {Record<string, string>} */
const SHAPE = { critical: "critical-line", warning: "warning-line", advisory: "advisory" };

/** @type {Record<string, () => string>} */
const TYPE_WORD = {
  rule_violation: () => _("Out of limit"), drift: () => _("Drift"), anomaly: () => _("Unusual"), instrument_fault: () => _("Sensor fault"),
  data_gap: () => _("No data"), machine_fault: () => _("Fault"), source_lost: () => _("Source lost"), calibration_overdue: () => _("Calibration due"),
};

/** @type {Record<string, [string, () => string]>} */
const OPERATING = {
  running: ["running", () => _("Running")], idle: ["idle", () => _("Idle")], stopped: ["stopped", () => _("Stopped")],
  fault: ["critical-line", () => _("Fault")], unknown: ["unknown", () => _("Unknown")],
};

/** @type {Record<string, [string, string, () => string] | undefined>} */
const MAINTENANCE = {
  faulty: ["chip-fixed", "warning-line", () => _("Faulty")], in_work: ["chip-fixed", "wrench", () => _("In work")],
  fixed: ["chip-proof", "seal", () => _("Fixed, proof running")],
};

/** @param {string} cls @param {string} shape @param {string} word @param {string} [more] text after the word, lighter */
export function chip(cls, shape, word, more) {
  return h("span", { class: `chip ${cls}` }, icon(shape), word, more && h("span", { class: "quiet" }, more));
}

/** What an alert is called in a chip: by its type; a damaged model is no gap in the data. @param {{type: string, code?: string | null}} alert */
export const typeWord = (alert) => (alert.code === "model_damaged" ? _("Model damaged") : TYPE_WORD[alert.type]?.() || _("Alarm"));

/** @param {string} severity @param {boolean} acknowledged @param {string} [word] */
export function severityChip(severity, acknowledged, word) {
  const element = chip(`chip-${severity}${acknowledged ? "" : " filled"}`, SHAPE[severity] || "advisory", word || SEVERITY[severity]?.() || severity);
  if (!acknowledged) element.dataset.unseen = "true";
  return element;
}

/** The word for a calm machine: what it does. @param {{operating: string, class?: string}} asset */
export function operatingWord(asset) {
  if (asset.operating === "running" && asset.class === "printer") return _("Printing");
  if (asset.operating === "running" && asset.class === "transmitter") return _("Measuring");
  return (OPERATING[asset.operating] || OPERATING.unknown)[1]();
}

/** @param {{operating: string, class?: string}} asset @param {boolean} [boxed] @param {string} [more] */
export function operatingChip(asset, boxed = false, more) {
  if (asset.operating === "fault") return chip("chip-critical filled", "critical-line", operatingWord(asset), more);
  return chip(boxed ? "" : "chip-calm", (OPERATING[asset.operating] || OPERATING.unknown)[0], operatingWord(asset), more);
}

/** @param {string} maintenance @returns {HTMLElement | null} null while there is nothing to say */
export function maintenanceChip(maintenance) {
  const found = MAINTENANCE[maintenance];
  return found ? chip(found[0], found[1], found[2]()) : null;
}

/** @type {Record<string, [string, () => string]>} */
const PRIORITY = {
  urgent: ["critical-line", () => _("Urgent")], high: ["prio-3", () => _("High")], normal: ["prio-2", () => _("Normal")], low: ["prio-1", () => _("Low")],
};

/** @param {string} priority */
export function priorityMark(priority) {
  const [shape, word] = PRIORITY[priority] || PRIORITY.normal;
  return h("span", { class: `prio prio-${priority}` }, icon(shape), word());
}

/** @type {Record<string, () => string>} */
const STATE_WORD = {
  requested: () => _("Requested"), open: () => _("Open"), assigned: () => _("Assigned"), in_progress: () => _("In progress"), on_hold: () => _("On hold"),
  completed: () => _("Completed"), verified: () => _("Verified"), reopened: () => _("Reopened"), cancelled: () => _("Cancelled"),
};

/** @param {string} status */
export const stateWord = (status) => STATE_WORD[status]?.() || status;
