// @ts-check
// Numbers, durations, ages and times as LOOK.md 7 writes them.
import { _, language } from "./words.js";

const THIN = "\u2009";

/**
 * A number with fixed decimals, a thin space for thousands and a real minus.
 * @param {number | null | undefined} value
 * @param {number} [decimals]
 */
export function number(value, decimals = 2) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "—";
  const [whole, part] = Math.abs(value).toFixed(decimals).split(".");
  const grouped = whole.length > 3 ? whole.replace(/\B(?=(\d{3})+$)/g, THIN) : whole;
  const zero = Number(Math.abs(value).toFixed(decimals)) === 0;
  return (value < 0 && !zero ? "\u2212" : "") + grouped + (part ? `.${part}` : "");
}

/** A tick of an axis: as few decimals as it needs. @param {number | null | undefined} value @param {number} [decimals] */
export function plain(value, decimals = 2) {
  if (value === null || value === undefined) return "—";
  return Number.isInteger(value) ? number(value, 0) : number(value, decimals);
}

/** "9 min", "3 min 33 s", "6 h 16 min", "2 d 4 h". @param {number} ms */
export function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return _("{n} s", { n: s });
  const min = Math.floor(s / 60);
  if (min < 10 && s % 60) return _("{m} min {s} s", { m: min, s: String(s % 60).padStart(2, "0") });
  if (min < 60) return _("{n} min", { n: min });
  const hours = Math.floor(min / 60);
  if (hours < 24) return _("{h} h {m} min", { h: hours, m: String(min % 60).padStart(2, "0") });
  return _("{d} d {h} h", { d: Math.floor(hours / 24), h: hours % 24 });
}

/** "0.3 s old", "14 s old". @param {number} ms */
export function age(ms) {
  const s = Math.max(0, ms / 1000);
  return _("{age} old", { age: s < 1 ? _("{n} s", { n: s.toFixed(1) }) : duration(ms) });
}

/** ms UTC of an RFC 3339 text or of ms; NaN where there is none. @param {string | number | null | undefined} when */
export function ms(when) {
  return typeof when === "number" ? when : when ? Date.parse(when) : Number.NaN;
}

/** "14:06" (or "14:06:58"). @param {string | number | null | undefined} when @param {boolean} [seconds] */
export function time(when, seconds = false) {
  const at = new Date(ms(when));
  if (Number.isNaN(at.getTime())) return "—";
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${pad(at.getHours())}:${pad(at.getMinutes())}${seconds ? `:${pad(at.getSeconds())}` : ""}`;
}

/** Time today, else day and time, else the date. @param {string | number | null | undefined} when @param {number} nowMs */
export function moment(when, nowMs) {
  const at = new Date(ms(when));
  if (Number.isNaN(at.getTime())) return "—";
  const today = new Date(nowMs);
  if (at.toDateString() === today.toDateString()) return time(when);
  if (Math.abs(at.getTime() - nowMs) < 6 * 86400e3) return `${at.toLocaleDateString(language, { weekday: "short" })} ${time(when)}`;
  return at.toLocaleDateString(language, { day: "numeric", month: "short" });
}

/** A reason as a sentence: its first letter large. @param {string | null | undefined} text */
export const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");

/** Initials of a name: "L. Fontaine" -> "LF". @param {string} name */
export function initials(name) {
  const words = name.split(/[\s.]+/).filter(Boolean);
  return ((words[0]?.[0] || "") + (words.length > 1 ? words[words.length - 1][0] : "")).toUpperCase();
}
