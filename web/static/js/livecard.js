// @ts-check
// A live value on the phone: value, unit, age, range; stale and lost look like it.
import { code, fill, h, icon, setText } from "./dom.js";
import { age, duration, number } from "./format.js";
import { value } from "./live.js";
import { rangeBar } from "./rangebar.js";
import { judge, labelOf, normalRange } from "./tags.js";
import { _ } from "./words.js";

/** A card for one tag; `accept` is the range a step takes. */
export class LiveCard {
  /** @param {import("./tags.js").Tag} tag @param {{lo?: number, hi?: number, dec?: number} | null} [accept] @param {string} [note] */
  constructor(tag, accept = null, note = "") {
    this.tag = tag;
    this.accept = accept;
    this.figure = h("span", { class: "value" }, "—");
    this.age = h("span", {});
    this.verdict = h("span", { class: "verdict" });
    // a step's bar shows what the step accepts, an order's the tag's own limits
    this.bar = rangeBar(accept ? { ...tag, low: accept.lo ?? null, high: accept.hi ?? null, limits: [] } : tag);
    const range = accept ? [accept.lo, accept.hi] : normalRange(tag);
    const words = accept ? _("accepted") : _("normal");
    const decimals = accept?.dec ?? tag.decimals;
    this.element = h(
      "section",
      { class: "card live-card", "aria-label": labelOf(tag) },
      h("p", { class: "line" }, h("span", {}, accept ? code(tag.name) : _("{label} now", { label: labelOf(tag) })), this.age),
      h("p", { class: "big" }, this.figure, code(tag.unit, "unit"), this.verdict),
      this.bar.element,
      h("p", { class: "line" }, h("span", {}, note || (range ? `${words} ${number(range[0], decimals)} – ${number(range[1], decimals)} ${tag.unit}` : ""))),
    );
  }

  /** Whether the value may be used as an answer now. @param {number} nowMs */
  now(nowMs) {
    return judge(this.tag, value(this.tag.name), nowMs);
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    const judged = this.now(nowMs);
    const fresh = judged.freshness === "fresh";
    setText(this.figure, this.accept && judged.value !== null ? number(judged.value, this.accept.dec ?? this.tag.decimals) : judged.text);
    this.element.classList.toggle("is-stale", !fresh);
    this.element.classList.toggle("is-critical", fresh && judged.hue === "critical" && !this.accept);
    this.element.dataset.hue = fresh ? judged.hue : "";
    this.bar.update(judged);
    const old = Number.isNaN(judged.ageMs) ? _("no data yet") : fresh ? age(judged.ageMs) : `${judged.freshness === "stale" ? _("Stale") : _("Lost")} ${duration(judged.ageMs)}`;
    const wall = judged.limit ? `${_("limit {limit}", { limit: number(judged.limit.value, this.tag.decimals) })} · ` : "";
    setText(this.age, fresh && this.accept ? `${_("Live")} ${old}` : wall + old);
    if (this.accept) this.#judge(judged);
  }

  /** @param {import("./tags.js").Judged} judged */
  #judge(judged) {
    const { lo, hi } = this.accept || {};
    const v = judged.value;
    const text = v === null || judged.freshness !== "fresh" ? "" : lo !== undefined && lo !== null && v < lo ? _("below") : hi !== undefined && hi !== null && v > hi ? _("above") : _("in range");
    if (this.verdict.textContent?.trim() === text) return;
    fill(this.verdict, text && icon(text === _("in range") ? "tick" : "warning"), text && ` ${text}`);
  }
}
