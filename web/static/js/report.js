// @ts-check
/** The fault report of a QR label: says at once when a photo is too big, and sends once. The form works without this file. */

const MAX_BYTES = 10 * 1024 * 1024;

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("report"));
const photo = /** @type {HTMLInputElement | null} */ (document.getElementById("photo"));
const note = document.getElementById("photo-note");
const plain = note?.textContent ?? "";

photo?.addEventListener("change", () => {
  const file = photo.files?.[0];
  const tooBig = file !== undefined && file.size > MAX_BYTES;
  photo.setCustomValidity(tooBig ? (note?.dataset.tooBig ?? "") : "");
  if (note) {
    note.textContent = tooBig ? (note.dataset.tooBig ?? "") : plain;
    note.dataset.state = tooBig ? "wrong" : "";
  }
});

form?.addEventListener("submit", () => {
  const button = /** @type {HTMLButtonElement | null} */ (form.querySelector("button[type=submit]"));
  if (button) {
    button.textContent = button.dataset.busy ?? button.textContent;
    button.setAttribute("aria-disabled", "true");
  }
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // back from the thank-you page: a fresh form, not a sent one
});
