// @ts-check
// A photo of a step through the device's own camera dialog, shrunk to 1600 px before it is sent; works over plain HTTP.

import { el } from "../dom.js";
import { sendPicture } from "../feed.js";
import { uuid } from "../outbox.js";
import { t } from "../words.js";

const WIDTH = 1600;

/** @param {any} card */
export function takePhoto(card) {
  const input = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: "image/*", capture: "environment" }));
  input.addEventListener("change", async () => {
    const [file] = input.files ?? [];
    if (!file) return;
    card.state.sending = true;
    card.draw();
    try {
      const stored = await sendPicture(await shrunk(file), uuid());
      await card.answer({ media: [stored.id] });
    } catch (error) {
      card.state.sending = false;
      card.state.remark = t("refused", { reason: error.problem?.detail ?? t("lost") });
      card.draw();
    }
  });
  input.click();
}

/** A JPEG at most 1600 px wide; drawing it anew leaves position and device behind. */
async function shrunk(file) {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, WIDTH / image.width);
  const canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) }));
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/jpeg", 0.8));
}
