// @ts-check
// Search and filters above a list; typing waits a moment, a choice applies at once.
import { h, icon } from "../dom.js";
import { _ } from "../words.js";
import { control } from "./inputs.js";
import { sentAs, spec } from "./spec.js";

const PAUSE_MS = 250;

/** @param {Record<string, string>} state @param {(change: Record<string, string>) => void} go */
function search(state, go) {
  let timer = 0;
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: "find", type: "search", name: "search", autocomplete: "off", value: state.search || "" }));
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => go({ search: input.value.trim() }), PAUSE_MS);
  });
  return h("div", { class: "field find" }, h("label", { for: "find" }, _("Search")), h("span", { class: "with-icon" }, icon("search"), input));
}

/** A yes-or-no filter has three answers. @param {import("./spec.js").Field} field @returns {import("./spec.js").Field} */
const asFilter = (field) => {
  const open = { ...field, required: false, hint: "", none: _("All") };
  return field.kind === "flag" ? { ...open, kind: "choice", choices: [["true", _("Yes")], ["false", _("No")]] } : open;
};

/**
 * @param {HTMLElement} place
 * @param {Record<string, string>} state query of the address
 * @param {(change: Record<string, string>) => void} go
 */
export function filters(place, state, go) {
  place.addEventListener("submit", (event) => event.preventDefault());
  if (spec.searchable) place.append(search(state, go));
  for (const field of spec.filters || []) {
    const name = sentAs(field);
    const one = control(asFilter(field), { [field.name]: state[name] ?? null });
    const send = () => go({ [name]: one.read() === null ? "" : String(one.read()) });
    one.element.addEventListener("change", send);
    place.append(one.element);
  }
  place.hidden = !place.children.length;
}
