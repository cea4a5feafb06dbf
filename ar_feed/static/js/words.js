// @ts-check
// Texts in the person's language, the commands as the device hears them, and numbers as people read them.

const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

export const say = JSON.parse(document.getElementById("say")?.textContent ?? "{}");

/**
 * A text of the catalogue with `{name}` filled in.
 * @param {string} key
 * @param {Record<string, any>} [values]
 */
export function t(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A value with fixed decimals, a thin space for thousands and a real minus. */
export function number(value, decimals = 2) {
  if (value === null || value === undefined) return "—";
  if (typeof value !== "number") return String(value);
  const [whole, rest] = Math.abs(value).toFixed(decimals).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u2009");
  const sign = value < 0 && Number(value.toFixed(decimals)) !== 0 ? "\u2212" : "";
  return sign + grouped + (rest ? `.${rest}` : "");
}

/** An end of a range: zero without decimals. */
export function bound(value, decimals) {
  return value === 0 ? "0" : number(value, decimals);
}

/** A duration as people say it. */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(seconds < 1 ? 1 : 0)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min${Math.floor(seconds % 60) ? ` ${Math.floor(seconds % 60)} s` : ""}`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** Hours and minutes of the device's clock. */
export function clock(date = new Date()) {
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

/** When something is due: the time today, the weekday within a week, else the date. */
export function due(text, now = new Date()) {
  const at = new Date(text);
  if (at.toDateString() === now.toDateString()) return clock(at);
  const days = Math.abs(at.getTime() - now.getTime()) / 86_400_000;
  return at.toLocaleDateString(document.documentElement.lang, days < 6 ? { weekday: "long" } : { day: "numeric", month: "short" });
}
