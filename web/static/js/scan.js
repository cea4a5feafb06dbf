// @ts-check
// A code in a photo to a path of this server; works over plain HTTP, where the live camera does not.

/**
 * @param {File} file
 * @returns {Promise<string | null>} null when no code of ours is in it
 */
export async function readCode(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, 1200 / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const c = canvas.getContext("2d");
  if (!c) return null;
  c.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const image = c.getImageData(0, 0, canvas.width, canvas.height);
  await import("jsqr"); // a classic library: it leaves its function on the window
  const found = /** @type {any} */ (globalThis).jsQR(image.data, image.width, image.height);
  return found ? ours(found.data) : null;
}

/** A foreign host is never opened. @param {string} text */
function ours(text) {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol)) return null;
  const sameHost = url.host.toLowerCase() === location.host.toLowerCase();
  return sameHost && /^\/(assets|work|orders|q)\//i.test(url.pathname) ? url.pathname : null;
}
