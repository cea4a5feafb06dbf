// @ts-check
// Rows of records: a table on wide screens, cards on a phone (css/records.css); the first column leads to the record.
import { h, icon } from "../dom.js";
import { isNumeric, show } from "./values.js";

/**
 * @typedef {import("./spec.js").Field} Field
 * @typedef {{key: string, descending: boolean}} Sort
 * @typedef {{of?: any, pageOf?: (row: any) => string | null, sortKey?: (field: Field) => string | null, sort?: Sort | null,
 *   onSort?: (key: string) => void, acts?: (row: any) => import("../dom.js").Child[], actsWord?: string}} TableOptions
 */

/**
 * @param {Field} field
 * @param {TableOptions} options
 */
function header(field, options) {
  const cls = isNumeric(field) ? "num" : null;
  const key = options.sortKey?.(field);
  if (!key) return h("th", { scope: "col", role: "columnheader", class: cls }, field.label);
  const active = options.sort?.key === key;
  const order = !active ? "none" : options.sort?.descending ? "descending" : "ascending";
  const arrow = active && icon("down", options.sort?.descending ? "" : "up");
  return h("th", { scope: "col", role: "columnheader", class: cls, "aria-sort": order }, h("button", { type: "button", class: "sorter", "data-sort": key, onclick: () => options.onSort?.(key) }, field.label, arrow));
}

const SHORT = 12; // characters that stay on one line: codes break at their hyphen otherwise

/** Classes of a cell. @param {Field} field @param {import("../dom.js").Child} what */
function cellClass(field, what) {
  const text = what instanceof Node ? what.textContent || "" : String(what);
  return [isNumeric(field) && "num", what === "—" && "none", text.length <= SHORT && "short"].filter(Boolean).join(" ") || null;
}

/**
 * @param {Field[]} columns
 * @param {any} row
 * @param {TableOptions} options
 */
function line(columns, row, options) {
  const page = options.pageOf?.(row);
  const cells = columns.map((field, i) => {
    const what = show(field, row, options.of);
    const linked = i === 0 && page ? h("a", { class: "row-link", href: page }, what instanceof HTMLAnchorElement ? what.textContent : what) : what;
    return h("td", { role: "cell", "data-label": field.label, class: cellClass(field, what) }, h("span", { class: "said" }, linked));
  });
  const acts = options.acts?.(row);
  if (acts) cells.push(h("td", { role: "cell", class: "row-acts" }, ...acts));
  return h("tr", { role: "row" }, ...cells);
}

/**
 * @param {Field[]} columns
 * @param {any[]} rows
 * @param {TableOptions} [options]
 * @returns {HTMLElement}
 */
export function table(columns, rows, options = {}) {
  const heads = columns.map((field) => header(field, options));
  if (options.acts) heads.push(h("th", { scope: "col", role: "columnheader" }, h("span", { class: "visually-hidden" }, options.actsWord || "")));
  return h(
    "table",
    { class: "table records-table", role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
    h("tbody", { role: "rowgroup" }, ...rows.map((row) => line(columns, row, options))),
  );
}
