// @ts-check
// A report: figures, tables and files of a span; filters live in the address, so that a link keeps them.
import { ApiError, get, post } from "./api.js";
import { byId, empty, fill, h, icon, setText, toast } from "./dom.js";
import { number } from "./format.js";
import { keeper } from "./records/form.js";
import { spec, withQuery } from "./records/spec.js";
import { table } from "./records/table.js";
import { instant, show } from "./records/values.js";
import { _ } from "./words.js";

/** @typedef {{key: string, label: string, kind: string, unit: string}} Column */

const KINDS = /** @type {Record<string, string>} */ ({ whole: "integer", percent: "number", time: "moment" });
const LINKS = /** @type {Record<string, string>} */ ({ asset: "/assets/{asset}", order: "/orders/{order}" });
const filters = /** @type {HTMLFormElement} */ (byId("filters"));
const keyOf = keeper();

/** A column as the tables of records read it. @param {Column} column @param {any[]} rows @returns {import("./records/spec.js").Field} */
function field(column, rows) {
  const claim = rows.some((row) => typeof row[column.key] === "boolean");
  const kind = claim ? "flag" : column.kind === "money" ? "number" : KINDS[column.kind] || column.kind;
  return { name: column.key, label: column.label, kind, unit: column.unit, link: LINKS[column.key], key: "id", shows: "name" };
}

/** What the address asks for; a day counts whole, by the clock of the browser. */
function query() {
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  const at = (/** @type {string} */ day, /** @type {number} */ more) => {
    const [year, month, date] = day.split("-").map(Number);
    return new Date(year, month - 1, date + more).toISOString();
  };
  const day = /^\d{4}-\d{2}-\d{2}$/;
  return { ...asked, from: day.test(asked.from || "") ? at(asked.from, 0) : "", to: day.test(asked.to || "") ? at(asked.to, 1) : "" };
}

/** @param {{title: string, columns: Column[], rows: any[], total: number}} one */
function section(one) {
  const count = one.rows.length < one.total ? _("{shown} of {total}; all of them stand in the files", { shown: number(one.rows.length, 0), total: number(one.total, 0) }) : number(one.total, 0);
  const head = h("div", { class: "card-head" }, h("h2", {}, one.title), h("span", { class: "quiet" }, count));
  const rows = one.rows.length ? table(one.columns.map((column) => field(column, one.rows)), one.rows) : empty(_("Nothing in this span."));
  return h("section", { class: "card report-part", "aria-label": one.title }, head, h("div", { class: "records", tabindex: 0, role: "group", "aria-label": one.title }, rows));
}

/** @param {any} report */
function showReport(report) {
  const row = report.summary;
  fill(byId("summary"), ...report.summary_columns.map((/** @type {Column} */ column) => h("div", {}, h("dt", {}, column.label), h("dd", {}, show(field(column, [row]), row)))));
  fill(byId("tables"), ...report.tables.map(section));
  setText(byId("total"), `${instant(report.from)} – ${instant(report.to)}`);
  setText(byId("raw"), JSON.stringify(report, null, 2));
}

/** @param {HTMLButtonElement} button */
async function ask(button) {
  button.disabled = true;
  const { rows: _rows, ...filter } = /** @type {Record<string, any>} */ (query());
  const body = { format: "xlsx", ...Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== "")) };
  try {
    await post(`${spec.api}/jobs`, body, keyOf(body));
    toast(_("The file is being made; find it among the jobs."));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(error.message);
  } finally {
    button.disabled = false;
  }
}

function showActs() {
  const file = (/** @type {string} */ kind) => h("a", { class: "button", href: withQuery(spec.api, { ...query(), export: kind }), download: "" }, kind.toUpperCase());
  const job = h("button", { class: "button", type: "button", onclick: (/** @type {Event} */ event) => ask(/** @type {HTMLButtonElement} */ (event.currentTarget)) }, _("In the background"));
  fill(byId("acts"), file("csv"), file("xlsx"), file("pdf"), job);
}

async function load() {
  byId("summary").setAttribute("aria-busy", "true");
  try {
    showReport(await get(withQuery(spec.api, query())));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    setText(byId("total"), "");
    fill(byId("summary"));
    fill(byId("tables"), h("p", { class: "error card-pad" }, icon("critical-line"), h("span", {}, error.message)), h("p", { class: "more" }, h("button", { class: "button", type: "button", onclick: load }, _("Retry"))));
  } finally {
    byId("summary").removeAttribute("aria-busy");
  }
}

filters.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = Object.fromEntries([...new FormData(filters)].map(([name, value]) => [name, String(value).trim()]));
  history.replaceState(null, "", withQuery(location.pathname, asked));
  showActs();
  load();
});
for (const [name, value] of new URLSearchParams(location.search)) {
  const input = filters.elements.namedItem(name);
  if (input instanceof HTMLInputElement) input.value = value;
}
showActs();
load().catch((error) => toast(String(error)));
