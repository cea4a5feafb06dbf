// @ts-check
// The account menu: opens, closes by Escape or a click elsewhere, gives the focus back.
import { byId } from "./dom.js";

export function wireMenu() {
  const button = byId("user-menu");
  const list = byId("user-menu-list");
  const show = (/** @type {boolean} */ open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
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
