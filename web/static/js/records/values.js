// @ts-check
// One value of a record as it is read: numbers with their unit, times, words of choices, links to other things.
import { code, h, icon } from "../dom.js";
import { duration, number, sentence } from "../format.js";
import { _, language } from "../words.js";
import { recurrence } from "./recurrence.js";
import { at, fillPath, spec } from "./spec.js";
import { table } from "./table.js";

/** @typedef {import("./spec.js").Field} Field */

const locale = language === "en" ? "en-GB" : language; // the day before the month

/** A number with the decimals it has, four at most. @param {number} value */
export function figure(value) {
  const decimals = String(value).split(".")[1]?.length || 0;
  return number(value, Math.min(decimals, 4));
}

/** "20 Nov 2026". @param {string} value */
export function day(value) {
  const [year, month, date] = value.slice(0, 10).split("-").map(Number);
  const when = new Date(year, month - 1, date);
  return Number.isNaN(when.getTime()) ? value : when.toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric" });
}

/** "20 Nov 2026, 14:06" by the browser's clock. @param {string | number} value */
export function instant(value) {
  const when = new Date(value);
  if (Number.isNaN(when.getTime())) return String(value);
  const time = when.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return `${when.toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric" })}, ${time}`;
}

const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)/g;

/** A sentence with its RFC 3339 times by the browser's clock, as they stand in the table around it. @param {string} text */
const timed = (text) => text.replace(INSTANT, instant);

/** Milliseconds of the units that a span is told in. @type {Record<string, number>} */
const SPANS = { s: 1000, d: 86_400_000 };

/** What a thing is called: its code or number, and its name. @param {any} thing @param {string} [shows] @returns {string} */
export function nameOf(thing, shows = "name") {
  if (thing === null || typeof thing !== "object") return String(thing ?? "—");
  const mark = thing.code ?? thing.number ?? thing.employee_number;
  const name = thing[shows] ?? thing.name ?? thing.title ?? thing.text ?? thing.tag;
  return [mark, name === mark ? null : name].filter((part) => part !== null && part !== undefined && part !== "").join(" ") || String(thing.id ?? "—");
}

const TERMS = "/api/fault-terms"; // their codes are words: "no_signal"

/** "Background job" for background_job. @param {any} value */
const worded = (value) => sentence(String(value).replaceAll("_", " "));

/** @type {Record<string, (field: Field, value: any, row: any) => import("./../dom.js").Child>} */
const SHOW = {
  number: (field, value) => quantity(figure(field.signless ? Math.abs(value) : value), field.unit),
  integer: (field, value) => whole(field, value),
  measured: (_field, value, row) => quantity(number(value, row?.decimals), row?.unit),
  money: (_field, value, row) => quantity(number(value, 2), row?.currency || spec.currency),
  date: (_field, value) => day(value),
  moment: (_field, value) => instant(value),
  choice: (field, value) => field.choices?.find(([key]) => key === String(value))?.[1] || String(value),
  flag: (_field, value) => (value ? h("span", { class: "yes" }, icon("tick"), _("Yes")) : _("No")),
  code: (_field, value) => code(nameOf(value)),
  reference: (field, value) => (typeof value === "string" && field.source?.startsWith(TERMS) ? worded(value) : nameOf(value, field.shows)),
  share: (_field, value) => quantity(number(value * 100, value > 0 && value < 0.1 ? 1 : 0), "%"),
  span: (field, value) => duration(value * SPANS[field.unit || "s"]),
  words: (_field, value) => timed(Array.isArray(value) ? value.join(", ") : String(value)),
  recurrence: (_field, value) => recurrence(String(value)),
  word: (_field, value) => worded(value),
  picks: (field, value) => (field.choices || []).filter(([key]) => value.includes(Number(key))).map(([, word]) => word).join(", "),
  long: (_field, value) => h("span", { class: "long" }, String(value)),
};

/** A port is a name, without gaps; milliseconds beyond ten seconds are read as a span. @param {Field} field @param {number} value */
function whole(field, value) {
  if (field.name.endsWith("port")) return code(String(value));
  return field.unit === "ms" && value >= 10_000 ? duration(value) : quantity(number(value, 0), field.unit);
}

/** @param {string} figures @param {string} [unit] */
function quantity(figures, unit) {
  return h("span", { class: "figure-unit" }, figures, unit && h("bdi", { class: "quiet", dir: "ltr" }, `\u00a0${unit}`));
}

/**
 * The value of a field; its own word or a dash where there is none.
 * @param {Field} field
 * @param {any} row
 * @param {any} [of] the record around a row
 * @returns {import("../dom.js").Child}
 */
export function show(field, row, of) {
  const value = at(row, field.name);
  if (value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length)) return field.none || "—";
  if (field.kind === "list") return field.columns && Array.isArray(value) ? table(field.columns, value, { of: row }) : String(value.length);
  const numeric = isNumeric(field) && typeof value !== "number";
  const what = numeric ? String(value) : (SHOW[field.kind] || ((_f, v) => nameOf(v)))(field, value, row);
  const link = fillPath(field.link, row, of) || (field.kind === "file" && typeof value === "string" ? value : null);
  return link ? h("a", { class: "link", href: link }, what) : what;
}

/** @param {Field} field */
export const isNumeric = (field) => ["number", "integer", "money", "measured", "share", "span"].includes(field.kind);
