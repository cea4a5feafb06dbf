// @ts-check
// Asks before what deletes or cannot be taken back; the main act repeats the verb, Escape leaves, the server's refusal stays in view.
import { press } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { _ } from "../words.js";

/**
 * @param {string} title verb and thing
 * @param {string} text what will happen
 * @param {string} verb
 * @param {() => Promise<any>} act
 */
export function confirm(title, text, verb, act) {
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const main = /** @type {HTMLButtonElement} */ (h("button", { class: "button main", type: "button" }, verb));
  const dialog = /** @type {HTMLDialogElement} */ (
    h("dialog", { "aria-labelledby": "confirm-title" }, h("h2", { id: "confirm-title" }, title), text && h("p", {}, text), error, h("div", { class: "dialog-foot" }, h("button", { class: "button", type: "button", onclick: () => dialog.close() }, _("Cancel")), main))
  );
  main.addEventListener("click", () =>
    press(
      main,
      async () => {
        await act();
        dialog.close();
      },
      (message) => {
        fill(error, icon("critical-line"), h("span", {}, message));
        error.hidden = false;
      },
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
