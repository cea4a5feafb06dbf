// @ts-check
// A list inside a record: one line of controls a row; rows are added and removed in place.
import { fill, h, icon } from "../dom.js";
import { _ } from "../words.js";
import { control } from "./inputs.js";
import { sentAs } from "./spec.js";

/**
 * @param {import("./spec.js").Field} field
 * @param {string} id
 * @param {any} value
 * @returns {import("./inputs.js").Raw}
 */
export function rowsInput(field, id, value) {
  /** @type {{element: HTMLElement, controls: import("./inputs.js").Control[]}[]} */
  const rows = [];
  const place = h("div", { class: "row-list" });
  const add = /** @type {HTMLButtonElement} */ (h("button", { type: "button", class: "button", id, onclick: () => grow(null, true) }, icon("plus"), _("Add a row")));
  const box = h("div", { class: "rows-input" }, place, add);

  const changed = () => box.dispatchEvent(new Event("change", { bubbles: true }));
  const number = () => rows.forEach((row, i) => row.element.setAttribute("aria-label", _("{what}, row {n}", { what: field.label, n: i + 1 })));
  /** @param {any} body @param {boolean} byHand */
  function grow(body, byHand) {
    const controls = (field.columns || []).map((column) => control(column, body));
    const row = { controls, element: h("div", { class: "row-controls", role: "group" }, ...controls.map((one) => one.element), h("button", { type: "button", class: "button calm", onclick: () => drop(row) }, icon("minus"), _("Remove"))) };
    rows.push(row);
    place.append(row.element);
    number();
    if (!byHand) return;
    controls[0]?.focus();
    changed();
  }
  /** @param {{element: HTMLElement, controls: any[]}} row */
  function drop(row) {
    rows.splice(rows.indexOf(row), 1);
    row.element.remove();
    number();
    add.focus();
    changed();
  }
  fill(place);
  for (const row of Array.isArray(value) ? value : []) grow(row, false);
  return {
    element: box,
    control: add,
    read: () => rows.map((row) => Object.fromEntries(row.controls.map((one) => [sentAs(one.field), one.read()]).filter(([, what]) => what !== null))),
    check: () => rows.map((row) => row.controls.map((one) => one.check()).every(Boolean)).every(Boolean),
    refuse: (message, path) => {
      const [n, name] = path.split(".");
      const found = rows[Number(n)]?.controls.find((one) => sentAs(one.field) === name);
      found?.refuse(message);
      return Boolean(found);
    },
  };
}
