// @ts-check
// What an alert means: what to do, sensor or process with its evidence, the kind of fault and how that is known.
import { chip } from "./chips.js";
import { h } from "./dom.js";
import { sentence } from "./format.js";
import { _ } from "./words.js";

/** @type {Record<string, [string, () => string]>} */
const SUSPECT = {
  sensor: ["advisory", () => _("Transmitter suspect")],
  process: ["wrench", () => _("Process change")],
  connection: ["cut", () => _("Connection")],
  unknown: ["circle", () => _("Sensor or process: not clear")],
};
/** @type {Record<string, () => string>} */
const KIND = {
  stuck: () => _("Stuck"), spike: () => _("Spikes"), drift_high: () => _("Drifts up"), drift_low: () => _("Drifts down"), noisy: () => _("Noisy"),
};

/** Where to look, as a chip. @param {any} diagnosis */
export function suspectChip(diagnosis) {
  const [shape, word] = SUSPECT[diagnosis.suspect] || SUSPECT.unknown;
  return chip("", shape, word());
}

/** The kind of fault with the method that says so (rules, or learned from closed orders); null where nobody can tell. @param {any} diagnosis */
export function kindChip(diagnosis) {
  const word = KIND[diagnosis.fault?.label];
  return word ? chip("", "circle", word(), diagnosis.fault.method === "learned" ? ` ${_("learned")}` : ` ${_("by rules")}`) : null;
}

/** The evidence, the weightiest first; positive points speak for the sensor. @param {any} diagnosis */
function why(diagnosis) {
  const points = (/** @type {number} */ n) => (n > 0 ? _("sensor +{n}", { n }) : n < 0 ? _("process +{n}", { n: -n }) : "");
  return h("ul", { class: "why" }, (diagnosis.why || []).map((/** @type {any} */ one) => h("li", {}, h("span", {}, one.text), " ", h("span", { class: "quiet" }, points(one.points)))));
}

/** What it most likely is by the fault taxonomy, with how that is known. @param {any} diagnosis */
function likely(diagnosis) {
  const category = diagnosis.category;
  return category?.label ? h("p", {}, h("b", {}, category.label), h("span", { class: "quiet" }, ` ${sentence(category.text)}`)) : null;
}

/** Everything, for the page of an order. @param {any} alert @returns {HTMLElement | null} */
export function diagnosisBox(alert) {
  const diagnosis = alert?.diagnosis;
  if (!diagnosis) return null;
  return h("div", { class: "diagnosis" }, h("p", {}, alert.recommendation), h("p", { class: "row wrap" }, suspectChip(diagnosis), kindChip(diagnosis)), why(diagnosis), likely(diagnosis));
}

/** The recommendation with the word of the triage, where room is short. @param {any} alert @returns {HTMLElement | null} */
export function advice(alert) {
  if (!alert?.recommendation) return null;
  return h("div", { class: "diagnosis" }, h("p", {}, alert.recommendation), alert.diagnosis && h("p", { class: "row wrap" }, suspectChip(alert.diagnosis), kindChip(alert.diagnosis)));
}

/** @type {Set<number>} alerts whose advice is open: rows are drawn anew with every fact */
const open = new Set();

/** Folded away in a row of a list: the triage's word, and below it everything. @param {any} alert @returns {HTMLElement | null} */
export function foldedAdvice(alert) {
  if (!alert?.recommendation) return null;
  const known = alert.diagnosis && alert.diagnosis.suspect !== "unknown";
  const word = known ? SUSPECT[alert.diagnosis.suspect][1]() : _("What to do");
  const element = /** @type {HTMLDetailsElement} */ (h("details", { class: "advice" }, h("summary", {}, word), diagnosisBox(alert) || h("p", {}, alert.recommendation)));
  element.open = open.has(alert.id);
  element.addEventListener("toggle", () => (element.open ? open.add(alert.id) : open.delete(alert.id)));
  return element;
}
