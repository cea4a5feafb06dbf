// @ts-check
// Acts of the phone pages: one at a time, "Sending" on the button until the server has answered, its refusal in words.
import { ApiError, post } from "./api.js";
import { _ } from "./words.js";

let waiting = 0;

/** Acts that were pressed and have no answer yet. */
export const unsent = () => waiting;

/** A key that makes a repeated act the same act; works without a secure context. */
function key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Send an act; a lost answer is asked for again under the same key, so that nothing is done twice.
 * @param {string} path
 * @param {any} body
 * @returns {Promise<any>}
 */
export async function sendOnce(path, body) {
  const mark = key();
  waiting += 1;
  try {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await post(path, body, { "Idempotency-Key": mark });
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 0 || attempt === 5) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
      }
    }
  } finally {
    waiting -= 1;
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {() => Promise<any>} act
 * @param {(message: string) => void} fail
 */
export async function pressOnce(button, act, fail) {
  if (button.disabled) return;
  const label = [...button.childNodes];
  button.disabled = true;
  button.textContent = _("SENDING");
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fail(error.message);
    button.replaceChildren(...label);
    button.disabled = false;
  }
}
