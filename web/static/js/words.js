// @ts-check
// Every text that JavaScript shows goes through _(); English is the key, other languages come from one JSON catalogue.

/** @type {Record<string, string>} */
let catalogue = {};
const source = document.querySelector('meta[name="catalogue"]')?.getAttribute("content");
if (source) {
  const answer = await fetch(source);
  if (answer.ok) catalogue = await answer.json();
}

/**
 * The text in the user's language; `{name}` places are filled from `values`.
 * @param {string} text
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function _(text, values) {
  const found = catalogue[text] || text;
  return values ? found.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole)) : found;
}

export const language = document.documentElement.lang || "en";
