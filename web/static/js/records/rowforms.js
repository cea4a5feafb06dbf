// @ts-check
// Rows of a list in a record's own body: each is added, changed or removed in a form of its own, and the whole list is sent.
import { ApiError, patch } from "../api.js";
import { fill, h, icon, toast } from "../dom.js";
import { _ } from "../words.js";
import { confirm } from "./confirm.js";
import { form } from "./form.js";
import { at, merged, spec } from "./spec.js";

/**
 * @typedef {import("./spec.js").Panel} Panel
 * @typedef {{record: any, tag: () => string | null, done: () => any, place: HTMLElement}} Around
 */

/** What a row is called in titles: its first text, else the word for such rows. @param {Panel} panel @param {any} row @returns {string} */
function title(panel, row) {
  const text = panel.columns.map((field) => at(row, field.name)).find((value) => typeof value === "string" && value !== "");
  return [panel.word, text].filter(Boolean).join(" ");
}

/** @param {Panel} panel @param {any[]} rows @param {Around} around */
function send(panel, rows, around) {
  const match = around.tag();
  const path = `${spec.api}/${encodeURIComponent(at(around.record, spec.key))}`;
  return patch(path, { [panel.inside || ""]: rows }, match ? { "If-Match": match } : {});
}

/** Refusals of one row by the names its form knows; those of other rows keep their whole name. @param {unknown} problem @param {string} start */
function ofRow(problem, start) {
  if (!(problem instanceof ApiError) || !problem.body?.errors) return problem;
  const errors = problem.body.errors.map((/** @type {any} */ one) => (one.field.startsWith(start) ? { ...one, field: one.field.slice(start.length) } : one));
  return new ApiError(problem.status, problem.code, problem.message, { ...problem.body, errors });
}

/**
 * The form of one row; `n` beyond the last is a new one.
 * @param {Panel} panel
 * @param {any[]} rows
 * @param {number} n
 * @param {Around} around
 * @param {HTMLElement} button
 */
function open(panel, rows, n, around, button) {
  const fresh = n === rows.length;
  const head = fresh ? _("New: {thing}", { thing: panel.word || "" }) : title(panel, rows[n]);
  const close = () => {
    fill(around.place);
    button.focus();
  };
  const element = form({
    fields: panel.row || [],
    body: fresh ? null : rows[n],
    word: fresh ? _("Add") : _("Save"),
    cancel: close,
    send: async (values) => {
      const row = merged(rows[n], values);
      await send(panel, fresh ? [...rows, row] : rows.map((one, i) => (i === n ? row : one)), around).catch((problem) => {
        throw ofRow(problem, `${panel.inside}.${n}.`);
      });
      return {
        next: async () => {
          await around.done();
          toast(_("Saved"));
        },
      };
    },
  });
  fill(around.place, h("section", { class: "card card-pad act-form", "aria-label": head }, h("h3", {}, head), element));
  /** @type {HTMLElement | null} */ (element.querySelector("input, select, textarea"))?.focus();
}

/** "Add" above the list, where its rows may be changed. @param {Panel} panel @param {Around} around */
export function headButton(panel, around) {
  if (!panel.row) return null;
  const button = /** @type {HTMLButtonElement} */ (h("button", { class: "button", type: "button" }, icon("plus"), _("Add: {thing}", { thing: panel.word || "" })));
  const rows = at(around.record, panel.inside || "") || [];
  button.addEventListener("click", () => open(panel, rows, rows.length, around, button));
  return button;
}

/** "Change" and "Remove" in a row. @param {Panel} panel @param {any[]} rows @param {any} row @param {Around} around */
export function rowButtons(panel, rows, row, around) {
  if (!panel.row) return [];
  const change = h("button", { class: "button", type: "button" }, _("Change"));
  change.addEventListener("click", () => open(panel, rows, rows.indexOf(row), around, change));
  const drop = async () => {
    await send(panel, rows.filter((one) => one !== row), around);
    await around.done();
  };
  const remove = h("button", { class: "button", type: "button", onclick: () => confirm(_("Remove {thing}", { thing: title(panel, row) }), "", _("Remove"), drop) }, _("Remove"));
  return [change, remove];
}
