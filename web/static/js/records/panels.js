// @ts-check
// The lists under a record: rows of another collection or of the record's own body, with their acts.
import { ApiError, get } from "../api.js";
import { empty, fill, h, icon } from "../dom.js";
import { _ } from "../words.js";
import { buttons } from "./acts.js";
import { headButton, rowButtons } from "./rowforms.js";
import { at, fillPath, withQuery } from "./spec.js";
import { table } from "./table.js";

const PAGE = 50;

/**
 * @typedef {import("./spec.js").Panel} Panel
 * @typedef {{record: any, tag: () => string | null, done: () => any}} Around
 */

/** @param {Panel} panel @param {any[]} rows @param {Around} around @param {HTMLElement} place */
function drawn(panel, rows, around, place) {
  const each = (/** @type {any} */ row) => [...buttons(panel.acts, { row, of: around.record, place, done: around.done }, "button"), ...rowButtons(panel, rows, row, { ...around, place })];
  const acts = panel.acts || panel.row ? each : undefined;
  return table(panel.columns, rows, { of: around.record, pageOf: (row) => fillPath(panel.link, row, around.record), acts, actsWord: _("Acts") });
}

/**
 * One panel; `load` reads it again.
 * @param {Panel} panel
 * @param {Around} around
 * @param {number} n
 */
export function panel(panel, around, n) {
  const count = h("span", { class: "quiet" });
  const place = h("div", { class: "act-place" });
  const body = h("div", { class: "records" }, empty("—"));
  const own = { row: around.record, of: around.record, place, done: around.done };
  const heads = [...buttons(panel.heads, own), headButton(panel, { ...around, place })];
  const element = h("section", { class: "card", "aria-labelledby": `panel-${n}` }, h("div", { class: "card-head" }, h("h2", { id: `panel-${n}` }, panel.title), count, ...heads), place, body);
  let limit = PAGE;

  /** @param {any[]} rows @param {number} total */
  const show = (rows, total) => {
    count.textContent = String(total);
    const more = total > rows.length && h("button", { class: "button", type: "button", onclick: () => load((limit = Math.min(limit * 4, 500))) }, _("Show more"));
    fill(body, rows.length ? drawn(panel, rows, around, place) : empty(panel.none || _("None yet.")), more && h("p", { class: "more" }, more));
  };
  async function load(_limit = limit) {
    if (!panel.api) {
      const rows = at(around.record, panel.inside || "") || [];
      return show(rows, rows.length);
    }
    try {
      const answer = await get(withQuery(fillPath(panel.api, around.record) || "", { limit: panel.inside || panel.api.includes("limit=") ? "" : limit }));
      const rows = Array.isArray(answer) ? answer : ((panel.inside ? at(answer, panel.inside) : answer.items) ?? answer.rows ?? []);
      show(rows, answer.total ?? rows.length);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(body, h("p", { class: "error card-pad" }, icon("critical-line"), error.message), h("p", { class: "more" }, h("button", { class: "button", type: "button", onclick: () => load() }, _("Retry"))));
    }
  }
  load();
  return element;
}
