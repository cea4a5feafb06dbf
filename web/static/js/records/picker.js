// @ts-check
// A reference: type, and the server's matches are offered (ARIA combobox with a list); arrows, Enter, Escape.
import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { _ } from "../words.js";
import { at, withQuery } from "./spec.js";
import { nameOf } from "./values.js";

const PAUSE_MS = 180;

/**
 * @param {import("./spec.js").Field} field
 * @param {string} id
 * @param {any} value a thing of the body, or the key of one
 * @returns {import("./inputs.js").Raw}
 */
export function picker(field, id, value) {
  let chosen = value !== null && typeof value === "object" ? at(value, field.key) : value;
  /** @type {any[]} */
  let offers = [];
  let active = -1;
  let timer = 0;
  let asked = 0;
  const started = value === null || value === undefined ? "" : nameOf(value, field.shows);
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", id, type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list", autocomplete: "off", required: field.required, value: started, placeholder: _("Type to search") }));
  const list = h("ul", { class: "picks", id: `${id}-list`, role: "listbox", "aria-label": field.label, hidden: true });
  const box = h("div", { class: "picker" }, input, list);

  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  /** @param {any} thing */
  const take = (thing) => {
    chosen = at(thing, field.key);
    input.value = nameOf(thing, field.shows);
    input.setCustomValidity("");
    close();
    box.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const draw = () => {
    fill(list, offers.length ? offers.map((thing, i) => h("li", { role: "option", id: `${id}-${i}`, "aria-selected": String(i === active), onmousedown: (/** @type {Event} */ event) => event.preventDefault(), onclick: () => take(thing) }, nameOf(thing, field.shows))) : h("li", { class: "quiet", role: "option", "aria-disabled": "true", "aria-selected": "false" }, _("Nothing is called that.")));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    if (active >= 0) input.setAttribute("aria-activedescendant", `${id}-${active}`);
  };
  const look = async () => {
    const mine = (asked += 1);
    const body = await get(withQuery(field.source || "", { search: input.value.trim(), limit: 8 })).catch(() => null);
    if (mine !== asked || document.activeElement !== input) return;
    offers = body ? (body.items ?? []) : [];
    active = offers.length && input.value.trim() ? 0 : -1;
    draw();
  };
  input.addEventListener("input", () => {
    chosen = null;
    input.setCustomValidity(input.value.trim() ? _("Choose one of the list.") : "");
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  input.addEventListener("click", () => {
    if (!input.value && list.hidden) look();
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    }
    if (event.key === "Enter" && !list.hidden && offers[active]) {
      event.preventDefault();
      take(offers[active]);
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    if (list.hidden) look();
    else if (offers.length) {
      active = (active + (event.key === "ArrowDown" ? 1 : offers.length - 1) + (active < 0 && event.key === "ArrowUp" ? 1 : 0)) % offers.length;
      draw();
    }
  });
  return { element: box, control: input, read: () => chosen ?? null };
}
