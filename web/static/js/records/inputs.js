// @ts-check
// One control a kind of field: a label above, what is typed in, a hint and the message below; reads what is to be sent.
import { fill, h, icon } from "../dom.js";
import { _ } from "../words.js";
import { picker } from "./picker.js";
import { rowsInput } from "./rows.js";
import { at, sentAs, spec } from "./spec.js";

/**
 * @typedef {import("./spec.js").Field} Field
 * @typedef {{field: Field, element: HTMLElement, read: () => any, refuse: (message: string, path?: string) => void, check: () => boolean, focus: () => void}} Control
 * @typedef {{element: HTMLElement, read: () => any, control?: HTMLElement, refuse?: (message: string, path: string) => boolean, check?: () => boolean}} Raw
 */

let made = 0;

/** "2026-11-20T14:06" of the browser's clock, as datetime-local takes it. @param {string} value */
function localMoment(value) {
  const when = new Date(value);
  if (Number.isNaN(when.getTime())) return "";
  return new Date(when.getTime() - when.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {Field} field @param {string} id @param {any} value @param {Record<string, any>} more @returns {Raw} */
function line(field, id, value, more) {
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", id, required: field.required, value, autocomplete: "off", ...more }));
  return { element: input, read: () => input.value.trim() || null };
}

/** @param {Field} field @param {string} id @param {any} value @param {string} step @returns {Raw} */
function numeric(field, id, value, step) {
  const raw = line(field, id, value ?? "", { type: "number", step, min: field.low, max: field.high, inputmode: step === "1" ? "numeric" : "decimal" });
  const input = /** @type {HTMLInputElement} */ (raw.element);
  const unit = field.kind === "money" ? spec.currency : field.unit;
  const box = unit ? h("span", { class: "with-unit" }, input, h("bdi", { class: "unit", dir: "ltr" }, unit)) : input;
  return { element: box, control: input, read: () => (input.value === "" ? null : Number(input.value)) };
}

/** @param {Field} field @param {string} id @param {any} value @returns {Raw} */
function choice(field, id, value) {
  const none = !field.required || value === null || value === undefined ? [h("option", { value: "" }, field.required ? _("Choose") : field.none || "—")] : [];
  const options = (field.choices || []).map(([key, word]) => h("option", { value: key, selected: key === String(value ?? "") }, word));
  const select = /** @type {HTMLSelectElement} */ (h("select", { class: "input", id, required: field.required }, ...none, ...options));
  return { element: select, read: () => select.value || null };
}

/** @type {Record<string, (field: Field, id: string, value: any) => Raw>} */
const MAKE = {
  number: (field, id, value) => numeric(field, id, value, "any"),
  integer: (field, id, value) => numeric(field, id, value, "1"),
  money: (field, id, value) => numeric(field, id, value, "0.01"),
  date: (field, id, value) => line(field, id, value ? String(value).slice(0, 10) : "", { type: "date" }),
  clock: (field, id, value) => line(field, id, value ?? "", { type: "time" }),
  moment: (field, id, value) => {
    const raw = line(field, id, value ? localMoment(value) : "", { type: "datetime-local" });
    return { ...raw, read: () => (raw.read() ? new Date(raw.read()).toISOString() : null) };
  },
  long: (field, id, value) => {
    const area = /** @type {HTMLTextAreaElement} */ (h("textarea", { class: "input", id, rows: 3, required: field.required }, value ?? ""));
    return { element: area, read: () => area.value.trim() || null };
  },
  words: (field, id, value) => {
    const area = /** @type {HTMLTextAreaElement} */ (h("textarea", { class: "input", id, rows: 2, required: field.required }, (value || []).join("\n")));
    return { element: area, read: () => area.value.split("\n").map((word) => word.trim()).filter(Boolean) };
  },
  flag: (field, id, value) => {
    const box = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", class: "tick", id, checked: Boolean(value) }));
    return { element: box, read: () => box.checked };
  },
  picks: (field, id, value) => {
    const boxes = (field.choices || []).map(([key, word], n) => ({ key, word, box: /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", class: "tick", id: n ? null : id, checked: (value || []).includes(Number(key)) })) }));
    const element = h("div", { class: "ticks" }, ...boxes.map(({ box, word }) => h("label", {}, box, word)));
    return { element, control: boxes[0]?.box, read: () => boxes.filter(({ box }) => box.checked).map(({ key }) => Number(key)) };
  },
  file: (field, id) => {
    const input = /** @type {HTMLInputElement} */ (h("input", { type: "file", class: "input", id, required: field.required }));
    return { element: input, read: () => input.files?.[0] || null };
  },
  choice,
  reference: picker,
  list: rowsInput,
};

/** What a control starts with. @param {Field} field @param {any} body */
function startOf(field, body) {
  const value = body === null ? undefined : at(body, field.name);
  if (value !== undefined) return value;
  return field.ago_h === undefined ? (field.default ?? null) : new Date(Date.now() - field.ago_h * 3_600_000).toISOString();
}

/** A sentence about what is wrong below a control. @param {HTMLElement} place @param {string} message */
function tell(place, message) {
  fill(place, message && icon("critical-line"), message && h("span", {}, message));
  place.hidden = !message;
}

/**
 * @param {Field} field
 * @param {any} body the record, or null for a new one
 * @returns {Control}
 */
export function control(field, body) {
  const id = `f${(made += 1)}-${field.name.replace(/\W/g, "-")}`;
  const raw = (MAKE[field.kind] || ((f, i, v) => line(f, i, v && typeof v === "object" ? (v.name ?? v.code) : (v ?? ""), { type: "text" })))(field, id, startOf(field, body));
  const input = /** @type {HTMLInputElement} */ (raw.control || raw.element);
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const hint = field.hint && h("p", { class: "hint", id: `${id}-hint` }, field.hint);
  const grouped = ["list", "picks"].includes(field.kind);
  if (!grouped) input.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-error`);
  const word = [field.label, field.required && h("span", { class: "quiet" }, ` · ${_("required")}`)];
  const label = grouped ? h("span", { class: "label", id: `${id}-label` }, ...word) : h("label", { for: id }, ...word);
  const wide = ["long", "list", "words", "picks"].includes(field.kind) ? " wide" : "";
  const element = h("div", { class: `field${wide}${field.kind === "flag" ? " flag" : ""}`, role: grouped && "group", "aria-labelledby": grouped && `${id}-label`, "data-field": sentAs(field) }, label, raw.element, hint, error);
  const refuse = (/** @type {string} */ message, path = "") => {
    if (message && path && raw.refuse?.(message, path)) return;
    if (!grouped) input.setAttribute("aria-invalid", String(Boolean(message)));
    tell(error, message);
  };
  const check = () => {
    if (raw.check) return raw.check();
    refuse(input.validity?.valid === false ? input.validationMessage : "");
    return input.validity?.valid !== false;
  };
  return { field, element, read: raw.read, refuse, check, focus: () => (grouped ? element.querySelector("input, select, button") : input)?.focus() };
}
