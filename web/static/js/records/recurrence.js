// @ts-check
// A recurrence rule (RFC 5545) in words: "every 3 months, on Mon". A part that has no words here is shown as it stands.
import { _ } from "../words.js";

/** @type {Record<string, [string, string]>} once, and every n of them */
const FREQUENCY = {
  HOURLY: [_("every hour"), _("every {n} hours")],
  DAILY: [_("every day"), _("every {n} days")],
  WEEKLY: [_("every week"), _("every {n} weeks")],
  MONTHLY: [_("every month"), _("every {n} months")],
  YEARLY: [_("every year"), _("every {n} years")],
};
/** @type {Record<string, string>} */
const DAYS = { MO: _("Mon"), TU: _("Tue"), WE: _("Wed"), TH: _("Thu"), FR: _("Fri"), SA: _("Sat"), SU: _("Sun") };

/** @param {string} rule */
export function recurrence(rule) {
  const parts = new Map(rule.replace(/^RRULE:/, "").split(";").filter(Boolean).map((part) => /** @type {[string, string]} */ (part.split("=", 2))));
  const words = FREQUENCY[parts.get("FREQ") || ""];
  if (!words) return rule;
  const n = parts.get("INTERVAL") || "1";
  const said = [n === "1" ? words[0] : words[1].replace("{n}", n)];
  const days = parts.get("BYDAY")?.split(",").map((day) => DAYS[day]);
  if (days?.every(Boolean)) said.push(_("on {days}", { days: days.join(", ") }));
  const told = new Set(["FREQ", "INTERVAL", ...(days?.every(Boolean) ? ["BYDAY"] : [])]);
  return [...said, ...[...parts].filter(([name]) => !told.has(name)).map((part) => part.join("="))].join(", ");
}
