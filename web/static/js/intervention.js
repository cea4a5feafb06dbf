// @ts-check
// The report of a visit: what is chosen above decides what is offered below; saved once, then on to the own work.
import { post } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { form, keeper } from "./records/form.js";
import { _ } from "./words.js";

/** @typedef {{id: number, under?: number, name: string}} Term */
/** @type {{given: {order: string, title: string, received_at: string, born_of_alert: boolean, machines: {code: string, name: string}[], terms: Record<string, Term[]>}, fields: import("./records/spec.js").Field[]}} */
const { given, fields } = JSON.parse(byId("intervention-given").textContent || "{}");
const LEVELS = ["category", "what", "why", "where"];
const WORDS = { category: _("Fault category"), what: _("Fault what"), why: _("Fault why"), where: _("Fault where") };
const keyOf = keeper();

/** A list to choose from. @param {string} name @param {string} label @param {[string, string][]} choices @param {boolean} required @returns {import("./records/spec.js").Field} */
const choice = (name, label, choices, required) => ({ name, label, kind: "choice", key: "id", shows: "name", choices, required });

const machine = { ...choice("asset", _("Machine"), given.machines.map(({ code, name }) => [code, `${code} · ${name}`]), true), default: given.machines[0]?.code };
const faults = LEVELS.map((level) => choice(level, WORDS[/** @type {keyof typeof WORDS} */ (level)], given.terms[level].map(({ id, name }) => [String(id), name]), level === "category"));
const rest = fields.filter(({ name }) => name !== "verdict" || given.born_of_alert).map((field) => (field.name === "received_at" ? { ...field, default: given.received_at } : field));
const [received, ended, ...others] = rest;

/** Ids are numbers; what was not chosen is not sent. @param {Record<string, any>} values */
const sent = (values) => ({ ...values, ...Object.fromEntries(LEVELS.filter((level) => values[level]).map((level) => [level, Number(values[level])])), order: given.order });

const element = form({
  fields: [machine, received, ended, ...faults, ...others],
  body: null,
  word: _("Save"),
  cancel: () => location.assign(`/work/${given.order}`),
  send: async (values) => {
    const body = sent(values);
    await post("/api/interventions", body, keyOf(body));
    return { next: () => location.assign("/mine") };
  },
});

/** @param {string} level @returns {HTMLSelectElement} */
const select = (level) => /** @type {HTMLSelectElement} */ (element.querySelector(`[data-field="${level}"] select`));

/** Offer below only what stands under what is chosen above, or fits everywhere. */
function narrow() {
  for (const [n, level] of LEVELS.slice(1).entries()) {
    const above = select(LEVELS[n]).value;
    for (const option of select(level).options) {
      const term = given.terms[level].find(({ id }) => String(id) === option.value);
      option.hidden = option.disabled = Boolean(term?.under) && String(term?.under) !== above;
      if (option.disabled && option.selected) select(level).value = "";
    }
  }
}
element.addEventListener("change", narrow);
narrow();
fill(byId("form"), h("section", { class: "card card-pad", "aria-label": _("New intervention") }, element));
