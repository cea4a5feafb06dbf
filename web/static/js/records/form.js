// @ts-check
// A form of declared fields: checks before sending, "Sending" until the answer, the server's words beside the field they are about.
import { ApiError } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { _ } from "../words.js";
import { control } from "./inputs.js";
import { at, merged, sentAs } from "./spec.js";

let unsaved = 0;
addEventListener("beforeunload", (event) => {
  if (unsaved > 0) event.preventDefault();
});

/**
 * @typedef {import("./spec.js").Field} Field
 * @typedef {{fields: Field[], body: any, word: string, send: (values: Record<string, any>) => Promise<any>, cancel: () => void, guard?: boolean}} FormOptions
 */

/**
 * Put the server's refusals where they belong; what belongs nowhere stands at the foot.
 * @param {import("./inputs.js").Control[]} controls
 * @param {ApiError} problem
 * @returns {string}
 */
function spread(controls, problem) {
  /** @type {{field: string, detail: string}[]} */
  const errors = problem.body?.errors || [];
  const left = errors.filter(({ field, detail }) => {
    const found = controls.find((one) => [sentAs(one.field), one.field.name].some((name) => field === name || field.startsWith(`${name}.`)));
    const own = found && field.startsWith(`${sentAs(found.field)}.`) ? sentAs(found.field) : (found?.field.name ?? "");
    found?.refuse(detail, field.slice(own.length + 1));
    return !found;
  });
  if (errors.length && !left.length) return _("Some values were refused; see above.");
  return problem.message;
}

/** Whether somebody gave it: nothing typed and no row added is left out of a new record. @param {any} value */
const given = (value) => value !== null && !(Array.isArray(value) && !value.length);

/** What is sent: everything of a new record, of an old one what was changed. @param {import("./inputs.js").Control[]} controls @param {any} body @param {string[]} before */
function values(controls, body, before) {
  const pairs = controls.map((one, i) => ({ name: sentAs(one.field), value: one.read(), was: before[i] }));
  const kept = pairs.filter(({ value, was }) => (body === null ? given(value) : JSON.stringify(value) !== was));
  return nested(Object.fromEntries(kept.map(({ name, value }) => [name, value])), body);
}

/** Dotted names as the API takes them: the whole of what they are in, null where nothing is left. @param {Record<string, any>} flat @param {any} body */
function nested(flat, body) {
  /** @type {Record<string, any>} */
  const whole = {};
  for (const [name, value] of Object.entries(flat)) {
    const [first, ...below] = name.split(".");
    if (!below.length) whole[first] = value;
    else whole[first] = merged(whole[first] ?? at(body ?? {}, first) ?? {}, { [below.join(".")]: value });
  }
  for (const name of Object.keys(flat).filter((one) => one.includes("."))) {
    const [first] = name.split(".");
    if (!Object.keys(whole[first] ?? {}).length) whole[first] = null;
  }
  return whole;
}

/**
 * The form; `send` gets the values by the names the API reads. An edited record sends only what was changed.
 * @param {FormOptions} options
 * @returns {HTMLFormElement}
 */
export function form({ fields, body, word, send, cancel, guard = true }) {
  const controls = fields.map((field) => control(field, body));
  const before = controls.map((one) => JSON.stringify(one.read()));
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const button = /** @type {HTMLButtonElement} */ (h("button", { class: "button main", type: "submit" }, word));
  const quit = h("button", { class: "button", type: "button", onclick: () => leave(cancel) }, _("Cancel"));
  const element = /** @type {HTMLFormElement} */ (h("form", { class: "record-form", novalidate: true }, h("div", { class: "fields" }, ...controls.map((one) => one.element)), h("div", { class: "form-foot" }, error, quit, button)));
  let dirty = false;

  /** @param {() => void} then */
  function leave(then) {
    if (dirty) unsaved -= 1;
    dirty = false;
    then();
  }
  const touch = () => {
    if (dirty || !guard) return;
    dirty = true;
    unsaved += 1;
  };
  element.addEventListener("input", touch);
  element.addEventListener("change", touch);

  /** @param {string} message */
  const fail = (message) => {
    fill(error, message && icon("critical-line"), message && h("span", {}, message));
    error.hidden = !message;
  };
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    fail("");
    const wrong = controls.filter((one) => !one.check());
    if (wrong.length) {
      fail(_("Some values are missing or wrong; see above."));
      return wrong[0].focus();
    }
    button.disabled = true;
    button.textContent = _("Sending");
    try {
      const answer = await send(values(controls, body, before));
      leave(() => answer?.next?.());
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      fail(problem.status === 412 ? _("Somebody else changed it since you opened it. Nothing was saved: copy what you typed, cancel, and edit the new version.") : spread(controls, problem));
      /** @type {HTMLElement | null} */ (element.querySelector('[aria-invalid="true"]'))?.focus();
    } finally {
      button.disabled = false;
      button.textContent = word;
    }
  });
  return element;
}

/** A key for Idempotency-Key; works without a secure context. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Gives the same key for the same values, so that a repeated sending is one deed, and a new one for others. */
export function keeper() {
  let last = "";
  let key = "";
  return (/** @type {any} */ sent) => {
    const text = JSON.stringify(sent);
    if (text !== last) [last, key] = [text, newKey()];
    return { "Idempotency-Key": key };
  };
}
