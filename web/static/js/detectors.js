// @ts-check
// What each detector of the monitor sees, in plain words; docs/monitoring.md says what each is good and bad at.
import { moment, sentence } from "./format.js";
import { now } from "./now.js";
import { _ } from "./words.js";

/** @type {Record<string, () => string>} */
const SEES = {
  limits: () => _("a person's limit was crossed"), range: () => _("outside what the sensor can measure"), stuck: () => _("the value does not move"),
  spike: () => _("single readings far off"), noise: () => _("far noisier than when healthy"), gap: () => _("nothing arrives"),
  drift: () => _("the level left its healthy place"), shift: () => _("the level moved within minutes as never when healthy"),
  cusum: () => _("a small shift that lasts"), residual: () => _("a reading is not what the last ones led to expect"),
  cva: () => _("its signals no longer move together as when healthy"), novelty: () => _("unlike anything it has shown before"),
  forest: () => _("a pattern not seen when healthy"),
};

/** "the value does not move (stuck)"; the name alone where there are no words. @param {string} name */
export const seenBy = (name) => (SEES[name] ? `${SEES[name]()} (${name})` : name);

/** How often verdicts said that a detector of the watch list was right, by its name. @type {Record<string, any>} */
let precision = {};

/** @param {Record<string, any>} found */
export const setPrecision = (found) => { precision = found; };

/** What an entry of the watch list is worth: its detector's record, and how often it came. @param {any} a */
export function worth(a) {
  const said = precision[a.detector];
  const record = said ? _("{confirmed} of {n} such findings were right ({percent} %)", { confirmed: said.confirmed, n: said.verdicts, percent: Math.round(said.precision * 100) }) : _("nobody has judged such a finding yet");
  const since = a.data?.first_raised || a.raised_at;
  return [sentence(seenBy(a.detector)), record, a.occurrences > 1 ? _("came {n} times since {time}", { n: a.occurrences, time: moment(since, now()) }) : "", a.provisional ? _("its baseline is not confirmed") : ""].filter(Boolean).join(" · ");
}

const LEAST_SHARE = 0.05;

/** Its own signal; of a machine's finding those with the largest shares: "M3.pressure 94 %, M3.current 5 %". @param {any} a */
export function signals(a) {
  const shares = (a.because || []).slice(0, 2).filter((/** @type {any} */ one) => one.share >= LEAST_SHARE).map((/** @type {any} */ one) => `${one.tag} ${Math.round(one.share * 100)} %`);
  return a.tag || (a.type === "anomaly" && shares.length ? shares.join(", ") : a.asset?.code);
}
