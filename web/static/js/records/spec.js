// @ts-check
// The declaration of this page's resource, as web/records/spec.py writes it, and how its names find values in a body.

/**
 * @typedef {{name: string, label: string, kind: string, unit?: string, sends?: string, required?: boolean, choices?: [string, string][],
 *   source?: string, key: string, shows: string, link?: string, columns?: Field[], hint?: string, low?: number, high?: number, default?: any, none?: string, keeps?: boolean, signless?: boolean, ago_h?: number, needs?: string}} Field
 * @typedef {{label: string, path: string, method: string, fields?: Field[], body?: [string, any][], shown_when?: [string, string[]],
 *   confirm?: string, on_list?: boolean, on_row?: boolean, upload?: boolean, shows?: Field[],
 *   starts?: string, start_with?: [string, string][], prefills?: boolean}} Act
 * @typedef {{title: string, columns: Field[], api?: string, inside?: string, link?: string, none?: string, acts?: Act[], heads?: Act[],
 *   row?: Field[], word?: string}} Panel
 * @typedef {{label: string, path: string, on_list?: boolean}} Download
 * @typedef {{path: string, api: string, title: string, one: string, columns: Field[], fields?: Field[], first?: Field[], read_only?: Field[], filters?: Field[],
 *   sorts?: string[], searchable: boolean, creates: boolean, edits: boolean, deletes: boolean, panels?: Panel[], acts?: Act[],
 *   downloads?: Download[], key: string, name: string, link?: string, extra: Record<string, string>, currency: string, follows?: [string, string[]]}} Records
 */

/** @type {Records} */
export const spec = JSON.parse(document.getElementById("records-spec")?.textContent || "{}");

/** The value under a dotted name; undefined where a step is missing. @param {any} body @param {string} name @returns {any} */
export function at(body, name) {
  return name.split(".").reduce((below, key) => (below === null || below === undefined ? undefined : below[key]), body);
}

/**
 * "/parts/{id}" from a row; {of.id} comes from the record around it, {given.id} from what was typed. Null where a value is missing.
 * @param {string | undefined} template
 * @param {any} row
 * @param {any} [of]
 * @param {any} [given]
 * @returns {string | null}
 */
export function fillPath(template, row, of, given) {
  if (!template) return null;
  let whole = true;
  const path = template.replace(/\{([\w.]+)\}/g, (_match, name) => {
    const [first, ...below] = name.split(".");
    const value = first === "of" ? at(of, below.join(".")) : first === "given" ? at(given, below.join(".")) : at(row, name);
    if (value === null || value === undefined || value === "") whole = false;
    return encodeURIComponent(String(value ?? ""));
  });
  return whole ? path : null;
}

/** Page of a record. @param {any} row */
export function pageOf(row) {
  if (spec.link) return fillPath(spec.link, row);
  return spec.fields || spec.read_only || spec.panels ? fillPath(`/${spec.path}/{${spec.key}}`, row) : null;
}

/** An address with more query parameters; empty values are left out. @param {string} path @param {Record<string, any>} query */
export function withQuery(path, query) {
  const more = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== "" && value !== null && value !== undefined) more.set(name, String(value));
  const text = more.toString();
  return text ? `${path}${path.includes("?") ? "&" : "?"}${text}` : path;
}

/**
 * A body with these values in it; dotted names go where they lead, null takes a value away and what is then empty with it.
 * @param {any} body
 * @param {Record<string, any>} values
 * @returns {any}
 */
export function merged(body, values) {
  const whole = structuredClone(body ?? {});
  for (const [name, value] of Object.entries(values)) {
    const [first, ...below] = name.split(".");
    if (below.length) whole[first] = merged(whole[first], { [below.join(".")]: value });
    else whole[first] = value;
    const now = whole[first];
    if (now === null || (below.length && !Object.keys(now).length)) delete whole[first];
  }
  return whole;
}

/** What a field is called in requests. @param {Field} field */
export const sentAs = (field) => field.sends || field.name;

/** Whether an act is offered in this state of the thing. @param {Act} act @param {any} row */
export const offered = (act, row) => !act.shown_when || act.shown_when[1].includes(String(at(row, act.shown_when[0])));
