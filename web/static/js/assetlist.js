// @ts-check
// Every machine and instrument by area, with what it does, its main value and its loudest alarm.
import { operatingChip, severityChip, typeWord } from "./chips.js";
import { byId, code, empty, fill, h, setText, toast } from "./dom.js";
import { age, duration } from "./format.js";
import { on, subscribe, value } from "./live.js";
import { everyTick, now } from "./now.js";
import { alerts, assets, concerns, load, louder, onChange } from "./store.js";
import { HUE, headline, judge, labelOf } from "./tags.js";
import { _ } from "./words.js";

/** @type {{tag: import("./tags.js").Tag, figure: HTMLElement, age: HTMLElement, row: HTMLElement}[]} */
let live = [];
const wanted = new URLSearchParams(location.search).get("q")?.toLowerCase() || "";

/** @param {any} asset */
function rowOf(asset) {
  const worst = [...alerts.values()].filter((a) => concerns(a, asset.id) && a.condition === "active" && !a.watch && !a.suppressed).sort(louder)[0];
  const tag = headline(asset);
  const figure = h("span", { class: "strong" }, "—");
  const old = h("td", { class: "quiet" });
  const row = h(
    "tr",
    {},
    h("td", {}, h("a", { class: "strong", href: `/assets/${encodeURIComponent(asset.code)}` }, code(asset.code)), " ", h("span", { class: "quiet" }, asset.name)),
    h("td", {}, worst ? severityChip(worst.severity, worst.acknowledged, typeWord(worst)) : operatingChip(asset)),
    h("td", { class: "range-cell" }, tag ? labelOf(tag) : ""),
    h("td", { class: "num" }, figure, tag ? [" ", code(tag.unit, "unit")] : null),
    old,
    h("td", { class: "num spark-cell" }, asset.health?.score ?? "—"),
  );
  if (tag) live.push({ tag, figure, age: old, row });
  return row;
}

function show() {
  live = [];
  const all = [...assets.values()].filter((asset) => `${asset.code} ${asset.name} ${asset.area}`.toLowerCase().includes(wanted));
  const areas = [...new Set(all.map((asset) => asset.area))];
  const head = h("thead", {}, h("tr", {}, [_("Asset"), _("State"), _("Signal"), _("Value"), _("Age"), _("Health")].map((word, i) => h("th", { class: i === 3 || i === 5 ? "num" : "" }, word))));
  const sections = areas.map((area) => h("section", {}, h("h2", { class: "area-head" }, area), h("div", { class: "card scroll-x" }, h("table", { class: "table signals" }, head.cloneNode(true), h("tbody", {}, all.filter((asset) => asset.area === area).map(rowOf))))));
  fill(byId("asset-list"), sections.length ? sections : empty(wanted ? _("Nothing is called that.") : _("No machines yet.")));
  tick(now());
}

/** @param {number} nowMs */
function tick(nowMs) {
  for (const one of live) {
    const judged = judge(one.tag, value(one.tag.name), nowMs);
    setText(one.figure, judged.text);
    setText(one.age, Number.isNaN(judged.ageMs) ? "—" : judged.freshness === "fresh" ? age(judged.ageMs) : `${judged.freshness === "stale" ? _("Stale") : _("Lost")} ${duration(judged.ageMs)}`);
    one.figure.className = `strong ${judged.freshness === "fresh" ? HUE[judged.hue] : "quiet"}`;
  }
}

subscribe({ overview: true });
onChange(show);
on("values", () => tick(now()));
everyTick(tick);
try {
  await load("assets", "alerts");
  show();
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
