// @ts-check
// The cells of a packed picture: zlib over the differences from cell to cell, all low bytes and then all high ones (realtime/packing.py).

export const CAN_UNPACK = typeof DecompressionStream === "function";

/** @param {any} meta @param {ArrayBuffer} data @returns {Promise<ArrayBuffer>} */
export async function unpack(meta, data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (meta.dtype === "u1") return accumulate(planes, new Uint8Array(planes.length));
  const steps = new Uint16Array(planes.length / 2);
  for (let i = 0; i < steps.length; i++) steps[i] = planes[i] | (planes[steps.length + i] << 8);
  return accumulate(steps, new Uint16Array(steps.length));
}

/** Sums from the first on; typed arrays wrap as the sender's did. @template {Uint8Array | Uint16Array} T @param {T} steps @param {T} cells @returns {ArrayBuffer} */
function accumulate(steps, cells) {
  let sum = 0;
  for (let i = 0; i < steps.length; i++) cells[i] = sum += steps[i];
  return /** @type {ArrayBuffer} */ (cells.buffer);
}
