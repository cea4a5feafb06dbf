// @ts-check
// A menu under a button: opens, closes by Escape or a click elsewhere, gives the focus back.
import { byId } from "./dom.js";

/**
 * @param {string} id of the button; its list is `{id}-list`
 * @param {() => void} [opened] told each time it opens
 */
export function wireMenu(id = "user-menu", opened = () => {}) {
  const button = byId(id);
  const list = byId(`${id}-list`);
  const show = (/** @type {boolean} */ open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) opened();
  };
  button.addEventListener("click", () => show(list.hidden));
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Node && (button.contains(event.target) || list.contains(event.target)))) show(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    show(false);
    button.focus();
  });
}
