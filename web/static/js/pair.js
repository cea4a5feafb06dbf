// @ts-check
// Pairing: type the code that glasses or a phone show, see which device it is, approve or refuse.
import { byId, fill, h, icon, setText } from "./dom.js";
import { pressOnce } from "./sending.js";
import { post } from "./api.js";
import { _ } from "./words.js";

const form = /** @type {HTMLFormElement} */ (byId("pair"));
const input = /** @type {HTMLInputElement} */ (byId("code"));
const go = /** @type {HTMLButtonElement} */ (byId("go"));
const deny = /** @type {HTMLButtonElement} */ (byId("deny"));
let looked = "";

/** @param {string} message */
function fail(message) {
  fill(byId("error"), icon("critical-line"), message);
  byId("error").hidden = false;
  go.disabled = false;
}

/** @param {string} decision */
const decide = (decision) => post("/api/pair/approve", { user_code: input.value.trim().toUpperCase(), decision });

/** @param {string} decision */
async function send(decision) {
  byId("error").hidden = true;
  const device = await decide(decision);
  if (decision === "look") {
    looked = input.value;
    fill(byId("device"), h("div", { class: "card task" }, h("p", { class: "title" }, device.name || device.kind), h("p", { class: "quiet" }, [device.kind, device.place].filter(Boolean).join(" · "))));
    setText(go, _("APPROVE DEVICE"));
    byId("more").hidden = false;
  } else {
    fill(byId("device"), h("p", { class: "row strong" }, icon("tick"), decision === "approve" ? _("The device now acts for you until the end of the shift.") : _("Refused. The device gets nothing.")));
    byId("more").hidden = true;
    input.value = looked = "";
    setText(go, _("FIND DEVICE"));
  }
  go.disabled = deny.disabled = false;
}

input.addEventListener("input", () => {
  const letters = input.value.toUpperCase().replace(/[^A-Z0-9]/g, "").slice(0, 8);
  input.value = letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : letters;
  if (input.value !== looked && looked) {
    looked = "";
    fill(byId("device"));
    byId("more").hidden = true;
    setText(go, _("FIND DEVICE"));
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  pressOnce(go, () => send(looked && looked === input.value ? "approve" : "look"), fail);
});
deny.addEventListener("click", () => pressOnce(deny, () => send("deny").then(() => setText(deny, _("REFUSE"))), fail));
