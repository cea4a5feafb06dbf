// @ts-check
// The value cell of the overview: every slot fixed, so that text never moves; values are patched, never rebuilt.
import { chip, operatingChip, severityChip, typeWord } from "./chips.js";
import { code, fill, h, icon, setText } from "./dom.js";
import { age, duration, ms, number, time } from "./format.js";
import { value } from "./live.js";
import { now } from "./now.js";
import { rangeBar } from "./rangebar.js";
import { Spark } from "./spark.js";
import { isShelved, louder, openOrder } from "./store.js";
import { headline, judge, labelOf } from "./tags.js";
import { _ } from "./words.js";

/** One machine or instrument. */
export class Cell {
  /** @param {any} asset */
  constructor(asset) {
    this.asset = asset;
    /** @type {import("./tags.js").Tag | undefined} */
    this.tag = undefined;
    this.figure = h("span", { class: "value" }, "—");
    this.label = h("p", { class: "cell-label" });
    this.chip = h("p", { class: "cell-chip" });
    this.since = h("p", { class: "cell-since" });
    this.foot = h("span", {});
    this.age = h("span", { class: "cell-age" });
    this.unit = code("", "unit");
    this.place = h("p", { class: "cell-bar" });
    /** @type {ReturnType<typeof rangeBar> | null} */
    this.bar = null;
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "cell-spark", "aria-hidden": "true" }));
    /** @type {Spark | null} */
    this.spark = null;
    this.drawnAt = 0;
    this.shownState = "";
    /** @type {any[]} */
    this.alerts = [];
    this.element = h(
      "article",
      { class: "card cell" },
      h("h2", { class: "cell-title" }, h("a", { href: `/assets/${encodeURIComponent(asset.code)}` }, h("b", {}, code(asset.code)), ` ${asset.name}`)),
      this.chip,
      this.since,
      this.label,
      h("p", { class: "cell-value" }, this.figure, " ", this.unit),
      this.canvas,
      this.place,
      h("p", { class: "cell-foot" }, this.foot, this.age),
    );
    this.#watch(headline(asset));
  }

  /** Show this tag: the asset's main one, or the one that is in alarm. @param {import("./tags.js").Tag | undefined} tag */
  #watch(tag) {
    if (!tag || tag.name === this.tag?.name) return;
    this.tag = tag;
    this.bar = rangeBar(tag);
    this.spark = new Spark(tag, this.canvas);
    this.spark.load(now()).catch(() => {}); // history away: the line starts now
    this.drawnAt = 0;
    setText(this.unit, tag.unit);
    fill(this.place, this.bar.element);
  }

  /** New facts: state, alerts, order. @param {any} asset @param {any[]} alerts of this asset @param {number} nowMs */
  update(asset, alerts, nowMs) {
    this.asset = asset;
    this.alerts = alerts.filter((alert) => !alert.watch && !alert.suppressed && !isShelved(alert)).sort(louder);
    this.shownState = "";
    const alarmed = asset.tags.find((/** @type {any} */ tag) => tag.name === this.worst()?.tag && tag.kind === "f64");
    this.#watch(alarmed || headline(asset));
    this.tick(nowMs);
  }

  /** The alert that colours the cell: active and warning or worse. */
  worst() {
    return this.alerts.find((alert) => alert.condition === "active" && alert.severity !== "advisory");
  }

  /** A new sample of the tag. */
  sample() {
    const now = this.tag && value(this.tag.name);
    if (now && this.spark) this.spark.add(now.t, now.q === 2 ? null : now.v);
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    const sample = this.tag && value(this.tag.name);
    const judged = this.tag ? judge(this.tag, sample, nowMs) : null;
    const gone = Boolean(judged && judged.freshness === "gone");
    const worst = this.worst();
    this.#frame(judged, gone, worst);
    this.#state(gone, worst, nowMs, sample);
    if (judged && this.tag) {
      setText(this.figure, judged.text);
      this.bar?.update(judged);
      const wall = judged.limit && judged.hue ? ` · ${_("limit {limit}", { limit: number(judged.limit.value, this.tag.decimals) })}` : "";
      setText(this.label, labelOf(this.tag) + wall + (judged.uncertain ? ` · ${_("uncertain")}` : ""));
      this.#age(judged, gone, nowMs);
    }
    this.#draw(nowMs, Boolean(judged && judged.freshness !== "fresh"));
  }

  /** @param {import("./tags.js").Judged | null} judged @param {boolean} gone @param {any} worst */
  #frame(judged, gone, worst) {
    const { classList, dataset } = this.element;
    classList.toggle("is-lost", gone);
    classList.toggle("is-critical", !gone && worst?.severity === "critical");
    classList.toggle("is-warning", !gone && worst?.severity === "warning");
    classList.toggle("is-stale", judged?.freshness === "stale");
    const alarmed = worst && worst.tag === this.tag?.name ? worst.severity : "";
    dataset.hue = judged?.freshness === "fresh" ? judged.hue || alarmed : "";
  }

  /** Chip, time in state and foot change seldom: rebuilt only when what they say does. @param {boolean} gone @param {any} worst @param {number} nowMs @param {any} sample */
  #state(gone, worst, nowMs, sample) {
    const order = openOrder(this.asset.id) || this.asset.order;
    const key = [gone, worst?.id, worst?.acknowledged, this.asset.operating, order?.number, order?.status, order?.rev, this.asset.health?.score].join();
    const since = gone && sample?.good ? "" : ms(worst?.raised_at || this.asset.operating_since);
    setText(this.since, gone ? this.#last(sample) : since ? _("for {time}", { time: duration(nowMs - Number(since)) }) : "");
    if (key === this.shownState) return;
    this.shownState = key;
    if (gone) fill(this.chip, chip("chip-lost", "cut", worst?.type === "data_gap" && worst.code !== "model_damaged" ? _("No data") : _("Source lost")));
    else if (worst) fill(this.chip, severityChip(worst.severity, worst.acknowledged, this.asset.operating === "fault" ? _("Fault") : typeWord(worst)));
    else fill(this.chip, operatingChip(this.asset));
    fill(this.foot, gone ? h("b", {}, this.#withoutData(nowMs)) : this.#footText(order));
  }

  /** @param {any} order @returns {import("./dom.js").Child[]} */
  #footText(order) {
    if (order && !["verified", "cancelled"].includes(order.status)) {
      const who = order.assigned_to?.name || order.who;
      const done = order.status === "completed";
      const text = done ? _("being proved") : who ? _("{name} coming", { name: who }) : _("nobody yet");
      return [icon(done ? "seal" : "wrench", done ? "proof" : ""), " ", h("b", {}, code(order.number), ` · ${text}`)];
    }
    const score = this.asset.health?.score;
    return score === null || score === undefined ? [_("Health not known yet")] : [`${_("Health")} `, h("b", {}, String(score))];
  }

  /** @param {number} nowMs */
  #withoutData(nowMs) {
    const gone = this.asset.tags.filter((/** @type {any} */ tag) => judge(tag, value(tag.name), nowMs).freshness === "gone").length;
    return gone === 1 ? _("1 tag without data") : _("{n} tags without data", { n: gone });
  }

  /** @param {any} sample */
  #last(sample) {
    if (!sample?.good || !this.tag) return _("no data");
    return _("last {value} {unit} at {time}", { value: number(sample.good.v, this.tag.decimals), unit: this.tag.unit, time: time(sample.good.t, true) });
  }

  /** @param {import("./tags.js").Judged} judged @param {boolean} gone @param {number} nowMs */
  #age(judged, gone, nowMs) {
    const stale = judged.freshness === "stale";
    if (stale) {
      const text = _("Stale {time}", { time: duration(judged.ageMs) });
      if (this.age.textContent !== text) fill(this.age, chip("chip-stale", "clock", text));
      return;
    }
    setText(this.age, Number.isNaN(judged.ageMs) ? "" : gone ? duration(judged.ageMs) : age(judged.ageMs));
  }

  /** @param {number} nowMs @param {boolean} dim */
  #draw(nowMs, dim) {
    if (nowMs - this.drawnAt < 900) return;
    this.drawnAt = nowMs;
    this.spark?.draw(nowMs, dim);
  }
}
