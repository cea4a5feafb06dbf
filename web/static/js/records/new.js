// @ts-check
// The form of a new record; sent once, however often the button is pressed. Values in the address fill fields: /parts/new?asset=M2.
import { post } from "../api.js";
import { byId, fill, h } from "../dom.js";
import { _ } from "../words.js";
import { form, keeper } from "./form.js";
import { pageOf, spec } from "./spec.js";

const keyOf = keeper();
const given = new URLSearchParams(location.search);
const fields = [...(spec.first || []), ...(spec.fields || [])].filter((field) => field.kind !== "file").map((field) => (given.has(field.name) ? { ...field, default: given.get(field.name) } : field));
const element = form({
  fields,
  body: null,
  word: _("Create"),
  cancel: () => location.assign(`/${spec.path}`),
  send: async (values) => {
    const made = await post(spec.api, values, keyOf(values));
    return { next: () => location.assign((made && pageOf(made)) || `/${spec.path}`) };
  },
});
fill(byId("form"), h("section", { class: "card card-pad", "aria-label": spec.one }, element));
/** @type {HTMLElement | null} */ (element.querySelector("input, select, textarea"))?.focus();
