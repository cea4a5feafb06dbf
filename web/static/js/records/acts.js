// @ts-check
// Acts on a record, a row or a list: a button sends at once, opens its small form in place, or asks first.
import { get, patch, post, press, put, remove, upload } from "../api.js";
import { fill, h, toast } from "../dom.js";
import { _ } from "../words.js";
import { confirm } from "./confirm.js";
import { form, keeper } from "./form.js";
import { at, fillPath, offered, sentAs } from "./spec.js";
import { show } from "./values.js";

/**
 * @typedef {import("./spec.js").Act} Act
 * @typedef {{row: any, of?: any, place: HTMLElement, tag?: () => string | null, done: (answer: any) => any}} Around what an act works on
 */

/** What goes with the fields: constants, and where one names a value of the row in braces, that value. @param {Act} act @param {any} row */
function constants(act, row) {
  const valueOf = (/** @type {any} */ value) => {
    const name = typeof value === "string" ? value.match(/^\{([\w.]+)\}$/)?.[1] : undefined;
    return name ? at(row, name) : value;
  };
  return Object.fromEntries((act.body || []).map(([name, value]) => [name, valueOf(value)]));
}

/** @param {Record<string, any>} values */
function asForm(values) {
  const body = new FormData();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined) continue;
    body.append(String(name), value instanceof File ? value : typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return body;
}

/** @param {Act} act @param {Around} around */
function sender(act, around) {
  const keyOf = keeper();
  return async (/** @type {Record<string, any>} */ values) => {
    const path = fillPath(act.path, around.row, around.of, values);
    if (!path) throw new Error(`act ${act.path} lacks a value of its row`);
    const match = around.tag?.();
    const headers = match && act.method === "PATCH" ? { "If-Match": match } : {};
    const rest = Object.entries(values).filter(([name]) => !act.path.includes(`{given.${name}}`));
    const body = { ...constants(act, around.row), ...Object.fromEntries(rest) };
    if (act.upload) return upload(path, asForm(body));
    if (act.method === "DELETE") return remove(path, headers);
    if (act.method === "POST") return post(path, body, keyOf(body));
    return act.method === "PUT" ? put(path, body, headers) : patch(path, body, headers);
  };
}

/** What the answer says, in place. @param {Act} act @param {any} answer @param {Around} around */
function tell(act, answer, around) {
  const close = h("button", { class: "button", type: "button", onclick: () => fill(around.place) }, _("Close"));
  const pairs = (act.shows || []).map((field) => h("div", { class: field.kind === "list" ? "wide" : null }, h("dt", {}, field.label), h("dd", {}, show(field, answer))));
  fill(around.place, h("section", { class: "card act-answer", "aria-label": act.label, role: "status" }, h("dl", { class: "grid" }, ...pairs), h("div", { class: "form-foot" }, close)));
}

/** @param {Act} act @param {Around} around @param {any} answer */
async function finish(act, around, answer) {
  fill(around.place);
  await around.done(answer);
  if (act.shows && answer) tell(act, answer, around);
  else toast(_("Done: {act}", { act: act.label }));
}

/** Values that an act starts with: those of the thing itself, where it has them. @param {Act} act @param {any} row */
function startOf(act, row) {
  const pairs = (act.fields || []).map((field) => [field.name, row ? at(row, field.name) : undefined]).filter(([, value]) => value !== undefined);
  return act.method === "POST" || !pairs.length ? null : Object.fromEntries(pairs);
}

/** The act's fields with what the row, or another answer, proposes for them. @param {Act} act @param {Around} around */
async function proposed(act, around) {
  const fields = (act.fields || []).map((field) => (act.prefills ? { ...field, default: at(around.row, field.name) ?? field.default } : field));
  const path = fillPath(act.starts, around.row, around.of);
  if (!path) return fields;
  const answer = await get(path).catch(() => null); // a form without a proposal is filled by hand
  const values = Object.fromEntries((act.start_with || []).map(([name, key]) => [name, answer ? at(answer, key) : null]));
  return fields.map((field) => ({ ...field, default: values[field.name] ?? field.default }));
}

/** @param {Act} act @param {Around} around @param {HTMLButtonElement} button */
async function open(act, around, button) {
  const fields = await proposed(act, around);
  const send = sender(act, around);
  const close = () => {
    fill(around.place);
    button.focus();
  };
  const whole = startOf(act, around.row);
  const element = form({
    fields,
    body: whole,
    word: act.label,
    guard: false,
    cancel: close,
    send: async (values) => {
      const answer = await send(act.method === "PUT" ? { ...kept(act, whole), ...values } : values);
      return { next: () => finish(act, around, answer) };
    },
  });
  fill(around.place, h("section", { class: "card card-pad act-form", "aria-label": act.label }, h("h2", {}, act.label), element));
  /** @type {HTMLElement | null} */ (element.querySelector("input, select, textarea"))?.focus();
}

/** A PUT replaces: what was not touched goes with it. @param {Act} act @param {any} whole */
const kept = (act, whole) => (whole ? Object.fromEntries((act.fields || []).filter((field) => field.kind !== "reference" && field.name in whole).map((field) => [sentAs(field), whole[field.name]])) : {});

/**
 * The button of an act.
 * @param {Act} act
 * @param {Around} around
 * @param {string} [cls]
 * @returns {HTMLButtonElement}
 */
export function actButton(act, around, cls = "button") {
  const button = /** @type {HTMLButtonElement} */ (h("button", { class: cls, type: "button" }, act.label));
  button.addEventListener("click", () => {
    if (act.fields) return open(act, around, button);
    const run = async () => finish(act, around, await sender(act, around)({}));
    if (act.confirm) return confirm(act.label, act.confirm, act.label, run);
    return press(button, run, toast);
  });
  return button;
}

/** The acts that this thing is offered. @param {Act[] | undefined} acts @param {Around} around @param {string} [cls] */
export const buttons = (acts, around, cls) => (acts || []).filter((act) => offered(act, around.row)).map((act) => actButton(act, around, cls));
