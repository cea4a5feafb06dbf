// @ts-check
// A list inside a record: one line of controls a row; rows are added and removed in place.
import { fill, h, icon } from "../dom.js";
import { _ } from "../words.js";
import { control } from "./inputs.js";
import { merged, sentAs } from "./spec.js";

/** An empty list inside a row is no value. @param {any} value */
const some = (value) => (Array.isArray(value) && !value.length ? null : value);

/**
 * @param {import("./spec.js").Field} field
 * @param {string} id
 * @param {any} value
 * @returns {import("./inputs.js").Raw}
 */
export function rowsInput(field, id, value) {
  /** @type {{element: HTMLElement, body: any, controls: import("./inputs.js").Control[]}[]} */
  const rows = [];
  const place = h("div", { class: "row-list" });
  const add = /** @type {HTMLButtonElement} */ (h("button", { type: "button", class: "button", id, onclick: () => grow(null, true) }, icon("plus"), _("Add a row")));
  const box = h("div", { class: "rows-input" }, place, add);

  const changed = () => box.dispatchEvent(new Event("change", { bubbles: true }));
  const number = () => rows.forEach((row, i) => row.element.setAttribute("aria-label", _("{what}, row {n}", { what: field.label, n: i + 1 })));
  /** @param {any} body @param {boolean} byHand */
  function grow(body, byHand) {
    const controls = (field.columns || []).map((column) => control(column, body));
    const row = { controls, body, element: h("div", { class: "row-controls", role: "group" }, ...controls.map((one) => one.element), h("button", { type: "button", class: "button calm", onclick: () => drop(row) }, icon("minus"), _("Remove"))) };
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
    read: () => rows.map((row) => merged(field.keeps ? row.body : {}, Object.fromEntries(row.controls.map((one) => [sentAs(one.field), some(one.read())])))),
    check: () => rows.map((row) => row.controls.map((one) => one.check()).every(Boolean)).every(Boolean),
    refuse: (message, path) => {
      const [n, ...below] = path.split(".");
      const name = below.join(".");
      const found = rows[Number(n)]?.controls.find((one) => name === sentAs(one.field) || name.startsWith(`${sentAs(one.field)}.`));
      found?.refuse(message, name.slice(sentAs(found.field).length + 1));
      return Boolean(found);
    },
  };
}
