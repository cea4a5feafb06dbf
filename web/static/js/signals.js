// @ts-check
// The table of a machine's live values: one row per tag, patched in place; a row picks the tag of the chart.
import { chip } from "./chips.js";
import { code, fill, h, setText } from "./dom.js";
import { duration, number } from "./format.js";
import { value } from "./live.js";
import { now } from "./now.js";
import { rangeBar } from "./rangebar.js";
import { Spark } from "./spark.js";
import { isShown, judge, labelOf, normalRange } from "./tags.js";
import { _ } from "./words.js";

/** One tag's row. */
class Row {
  /** @param {import("./tags.js").Tag} tag @param {(tag: import("./tags.js").Tag) => void} pick */
  constructor(tag, pick) {
    this.tag = tag;
    this.figure = h("span", { class: "value" }, "—");
    this.bar = rangeBar(tag);
    this.age = h("td", {});
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "spark", "aria-hidden": "true" }));
    this.spark = new Spark(tag, this.canvas);
    this.drawnAt = 0;
    const range = normalRange(tag);
    const button = h("button", { class: "pick", type: "button", onclick: () => pick(tag) }, labelOf(tag), " ", code(tag.name, "quiet"));
    this.element = h(
      "tr",
      {},
      h("td", {}, button),
      h("td", { class: "num" }, this.figure),
      h("td", {}, code(tag.unit, "unit")),
      h("td", { class: "range-cell" }, h("span", { class: "row" }, this.bar.element, range && h("span", { class: "quiet" }, `${number(range[0], tag.decimals)} – ${number(range[1], tag.decimals)}`))),
      h("td", { class: "spark-cell" }, this.canvas),
      this.age,
    );
  }

  sample() {
    const sample = value(this.tag.name);
    if (sample) this.spark.add(sample.t, sample.q === 2 ? null : sample.v);
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    const judged = judge(this.tag, value(this.tag.name), nowMs);
    setText(this.figure, judged.text);
    this.bar.update(judged);
    this.element.classList.toggle("is-stale", judged.freshness === "stale" || judged.freshness === "gone");
    this.element.dataset.hue = judged.freshness === "fresh" ? judged.hue : "";
    const text = Number.isNaN(judged.ageMs) ? "—" : judged.ageMs < 950 ? _("{n} s", { n: (judged.ageMs / 1000).toFixed(1) }) : duration(judged.ageMs);
    if (judged.freshness === "stale" || judged.freshness === "gone") {
      const word = judged.freshness === "stale" ? _("Stale") : _("Lost");
      if (this.age.textContent !== `${word} ${text}`) fill(this.age, chip("chip-stale", judged.freshness === "stale" ? "clock" : "cut", `${word} ${text}`));
    } else setText(this.age, text);
    if (nowMs - this.drawnAt > 900) {
      this.drawnAt = nowMs;
      this.spark.draw(nowMs, judged.freshness !== "fresh");
    }
  }
}

/** The rows of an asset inside `body`. */
export class Signals {
  /** @param {HTMLElement} body @param {import("./tags.js").Tag[]} tags @param {(tag: import("./tags.js").Tag) => void} pick */
  constructor(body, tags, pick) {
    this.rows = tags.filter(isShown).map((tag) => new Row(tag, pick));
    fill(body, this.rows.length ? this.rows.map((row) => row.element) : h("tr", {}, h("td", { colspan: 6, class: "quiet" }, _("No values yet."))));
    for (const row of this.rows) row.spark.load(now()).catch(() => {}); // history away: the line starts now
  }

  /** @param {Set<string>} names */
  take(names) {
    const at = now();
    for (const row of this.rows) {
      if (!names.has(row.tag.name)) continue;
      row.sample();
      row.tick(at);
    }
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    for (const row of this.rows) row.tick(nowMs);
  }

  /** @param {import("./tags.js").Tag} tag */
  choose(tag) {
    for (const row of this.rows) {
      row.element.dataset.chosen = String(row.tag === tag);
      row.element.querySelector("button")?.setAttribute("aria-pressed", String(row.tag === tag));
    }
  }
}
