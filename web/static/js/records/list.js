// @ts-check
// A list of records: search, filters, sort and page live in the address, so that a link and the back button keep them.
import { ApiError, get } from "../api.js";
import { byId, empty, fill, h, icon, setText, toast } from "../dom.js";
import { number } from "../format.js";
import { _ } from "../words.js";
import { actButton, buttons } from "./acts.js";
import { filters } from "./filters.js";
import { pageOf, sentAs, spec, withQuery } from "./spec.js";
import { table } from "./table.js";

const PAGE = 50;
const SLOW_MS = 400;
/** @type {Record<string, string>} */
const state = Object.fromEntries(new URLSearchParams(location.search));
let asked = 0;

const offset = () => Math.max(0, Number(state.page || 1) - 1) * PAGE;

function query() {
  const { page: _page, ...rest } = state;
  return { ...spec.extra, ...rest };
}

/** @returns {import("./table.js").Sort | null} */
function sorted() {
  const first = (state.sort || "").split(",")[0];
  return first ? { key: first.replace(/^-/, ""), descending: first.startsWith("-") } : null;
}

/** @param {import("./spec.js").Field} field */
const sortKey = (field) => [sentAs(field), field.name, field.name.split(".")[0]].find((name) => spec.sorts?.includes(name)) || null;

/** @param {Record<string, string>} change */
function go(change) {
  Object.assign(state, change);
  for (const [name, value] of Object.entries(state)) if (value === "") delete state[name];
  history.replaceState(null, "", withQuery(location.pathname, state));
  showActs();
  load();
}

/** @param {string} key */
function sortBy(key) {
  const now = sorted();
  go({ sort: now?.key === key && !now.descending ? `-${key}` : key, page: "" });
  byId("rows").querySelector(`[data-sort="${CSS.escape(key)}"]`)?.classList.add("again");
}

/** @param {any} answer */
function showRows(answer) {
  const rows = answer.items ?? [];
  const total = answer.total ?? rows.length;
  setText(byId("total"), number(total, 0));
  const narrowed = Object.keys(state).some((name) => !["page", "sort"].includes(name));
  const act = narrowed ? h("a", { class: "link", href: location.pathname }, _("Show all")) : spec.creates && h("a", { class: "link", href: `/${spec.path}/new` }, _("New: {thing}", { thing: spec.one }));
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.sort : undefined;
  const nothing = offset() ? _("Nothing on this page.") : narrowed ? _("Nothing matches.") : _("Nothing here yet.");
  const inRow = (spec.acts || []).filter((one) => one.on_row);
  const acts = inRow.length ? (/** @type {any} */ row) => buttons(inRow, { row, of: row, place: byId("act-form"), done: load }) : undefined;
  fill(byId("rows"), rows.length ? table(spec.columns, rows, { pageOf, sortKey, sort: sorted(), onSort: sortBy, acts, actsWord: _("Acts") }) : empty(nothing, act));
  if (focused) /** @type {HTMLElement | null} */ (byId("rows").querySelector(`[data-sort="${CSS.escape(focused)}"]`))?.focus();
  showPager(total, rows.length);
}

/** @param {number} total @param {number} shown */
function showPager(total, shown) {
  const page = offset() / PAGE + 1;
  const last = Math.max(1, Math.ceil(total / PAGE));
  const step = (/** @type {string} */ word, /** @type {number} */ to, /** @type {boolean} */ off) => h("button", { class: "button", type: "button", disabled: off, onclick: () => go({ page: String(to) }) }, word);
  byId("pager").hidden = last === 1 && page === 1;
  const span = _("{from} to {to} of {total}", { from: number(shown ? offset() + 1 : 0, 0), to: number(offset() + shown, 0), total: number(total, 0) });
  fill(byId("pager"), step(_("Previous"), page - 1, page <= 1), h("span", { class: "quiet" }, span), step(_("Next"), page + 1, page >= last));
}

async function load() {
  const mine = (asked += 1);
  const place = byId("rows");
  place.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => setText(byId("total"), _("Loading")), SLOW_MS);
  try {
    const answer = await get(withQuery(spec.api, { ...query(), limit: PAGE, offset: offset() }));
    if (mine === asked) showRows(answer);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine !== asked) return;
    setText(byId("total"), "");
    fill(place, h("p", { class: "error card-pad" }, icon("critical-line"), h("span", {}, `${spec.title}: ${error.message}`)), h("p", { class: "more" }, h("button", { class: "button", type: "button", onclick: load }, _("Retry"))));
  } finally {
    clearTimeout(slow);
    if (mine === asked) place.removeAttribute("aria-busy");
  }
}

function showActs() {
  const files = (spec.downloads || []).filter((one) => one.on_list).map((one) => h("a", { class: "button", href: withQuery(one.path, query()), download: "" }, one.label));
  const around = { row: {}, place: byId("act-form"), done: load };
  const acts = (spec.acts || []).filter((act) => act.on_list).map((act) => actButton(act, around));
  const fresh = spec.creates && h("a", { class: "button main", href: `/${spec.path}/new` }, icon("plus"), _("New"));
  fill(byId("acts"), ...files, ...acts, fresh);
}

filters(byId("filters"), state, (change) => go({ ...change, page: "" }));
showActs();
load().catch((error) => toast(String(error)));
