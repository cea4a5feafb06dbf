// @ts-check
// The number that belongs to an alert: its tag's live value, else what it had when it was raised.
import { number } from "./format.js";
import { value } from "./live.js";
import { assets } from "./store.js";
import { judge } from "./tags.js";
import { _ } from "./words.js";

/** @param {any} alert @returns {import("./tags.js").Tag | undefined} */
export function tagOf(alert) {
  return assets.get(alert.asset?.id)?.tags.find((/** @type {any} */ tag) => tag.name === alert.tag);
}

/** The live value of an alert's tag, else what it had when it was raised. @param {any} alert @param {number} nowMs */
export function figureOf(alert, nowMs) {
  const tag = tagOf(alert);
  const judged = tag && judge(tag, value(tag.name), nowMs);
  if (tag && judged && judged.freshness !== "none") return { text: judged.text, unit: tag.unit, judged };
  return { text: number(alert.value, alert.decimals ?? tag?.decimals ?? 2), unit: alert.unit || tag?.unit || "", judged: null };
}

/** "limit 7.10", of a limit of change "limit 7.10 per minute". @param {any} alert @param {import("./tags.js").Tag} [tag] */
export function wallOf(alert, tag) {
  const limit = number(alert.limit, tag?.decimals ?? alert.decimals);
  return alert.code === "rising" || alert.code === "falling" ? _("limit {limit} per minute", { limit }) : _("limit {limit}", { limit });
}
