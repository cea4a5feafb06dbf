// @ts-check
// A live value: number with unit, where it may be, how old it is, whether it may be used. Values change without moving anything.

import { el, icon, svg } from "./dom.js";
import { setText } from "./frame.js";
import { bound, duration, number, t } from "./words.js";

const BAR = { width: 260, height: 14, top: 4 };

export class LiveBox {
  /** @param {{label: string, unit: string, lo?: number, hi?: number, dec?: number}} tag @param {boolean} small */
  constructor(tag, small) {
    this.tag = tag;
    this.entry = null;
    this.heardAt = 0;
    this.age = el("span", { class: "age" });
    this.value = el("span", {}, "—");
    this.judge = el("span", { class: "judge" });
    this.bar = svg("svg", { class: "bar", viewBox: `0 0 ${BAR.width} 22`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const range = tag.lo !== undefined && tag.hi !== undefined ? `${bound(tag.lo, tag.dec)} – ${bound(tag.hi, tag.dec)}` : "";
    this.node = el(
      "section",
      { class: small ? "live small" : "live", "aria-label": tag.label },
      el("div", { class: "head" }, el("b", {}, small ? tag.label : t("live").toUpperCase()), this.age),
      el("div", { class: "value" }, this.value, el("bdi", { class: "unit", dir: "ltr" }, tag.unit)),
      small ? null : this.bar,
      small ? null : el("div", { class: "foot" }, this.judge, el("span", {}, range)),
    );
    this.tick();
  }

  /** Take `[value, q, a, age]` of a frame. */
  take(entry) {
    this.entry = entry;
    this.heardAt = performance.now();
    this.tick();
  }

  /** Seconds since the device measured. */
  ageS() {
    if (!this.entry || this.entry[3] === null || this.entry[3] === undefined) return null;
    return this.entry[3] + (performance.now() - this.heardAt) / 1000;
  }

  /** The value where it may be sent as an answer: good and fresh; else null. */
  usable() {
    if (!this.entry || this.entry[0] === null || this.entry[1] !== 0 || this.since() > 3) return null;
    return this.entry[0];
  }

  since() {
    return (performance.now() - this.heardAt) / 1000;
  }

  tick() {
    const [value, q] = this.entry ?? [null, 2];
    const age = this.ageS();
    const stale = q !== 0 || this.since() > 3;
    setText(this.value, (q === 1 && value !== null ? "~ " : "") + number(value, this.tag.dec ?? 2));
    const word = age === null ? t("no_value") : stale ? t("stale", { age: duration(age) }) : t("age", { age: duration(age) });
    setText(this.age, word);
    this.node.classList.toggle("stale", stale);
    this.#judge(value, stale);
  }

  #judge(value, stale) {
    const { lo, hi } = this.tag;
    const above = value !== null && hi !== undefined && value > hi;
    const below = value !== null && lo !== undefined && value < lo;
    this.node.classList.toggle("out", above || below);
    const known = value !== null && !stale && (lo !== undefined || hi !== undefined);
    const word = !known ? "" : above ? t("above") : below ? t("below") : t("in_range");
    if (this.judge.dataset.word !== word) {
      this.judge.dataset.word = word;
      this.judge.replaceChildren(...(word ? [icon(above || below ? "triangle" : "tick"), document.createTextNode(word)] : []));
    }
    this.#draw(value, stale);
  }

  #draw(value, stale) {
    const { lo, hi } = this.tag;
    if (lo === undefined || hi === undefined || hi <= lo) return;
    const end = Math.max(lo + (hi - lo) * 2.6, (value ?? hi) * 1.05);
    const start = Math.min(lo, value ?? lo);
    const x = (v) => ((v - start) / (end - start)) * (BAR.width - 4) + 2;
    const parts = [svg("rect", { class: "bar-band", x: x(lo), y: BAR.top, width: x(hi) - x(lo), height: BAR.height })];
    if (value !== null && value > hi) parts.push(svg("rect", { class: "bar-past", x: x(hi), y: BAR.top, width: x(value) - x(hi), height: BAR.height }));
    parts.push(svg("rect", { class: "bar-track", x: 1, y: BAR.top, width: BAR.width - 2, height: BAR.height }));
    if (value !== null && !stale) parts.push(svg("rect", { class: "bar-needle", x: x(value) - 3, y: 0, width: 6, height: 22 }));
    this.bar.replaceChildren(...parts);
  }
}
