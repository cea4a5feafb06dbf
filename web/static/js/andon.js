// @ts-check
// The board over the line: what each machine does, for how long, what is wrong and who is coming; readable at ten metres, nothing to press.
// When the server is gone the whole screen says so: an old picture must never look like a calm plant.
import { operatingChip, severityChip, typeWord } from "./chips.js";
import { byId, code, empty, fill, h, icon, setText } from "./dom.js";
import { duration, ms, number, time } from "./format.js";
import { linkState, lostFor, on, subscribe, value } from "./live.js";
import { everyTick, now } from "./now.js";
import { alerts, assets, concerns, isShelved, load, louder, onChange } from "./store.js";
import { headline, judge, labelOf } from "./tags.js";
import { _ } from "./words.js";

const SHOWN_AFTER_MS = 3000; // live.js calls the link lost after 2.5 s: 5.5 s in all
const STATE_RANK = { fault: 0, stopped: 1, unknown: 2, idle: 3, running: 4 };

/** @type {{asset: any, worst: any, since: HTMLElement, figure: HTMLElement}[]} */
let shown = [];
let key = "";

/** @param {any} asset */
function worstOf(asset) {
  return [...alerts.values()].filter((a) => concerns(a, asset.id) && a.condition === "active" && !a.watch && !a.suppressed && !isShelved(a) && a.severity !== "advisory").sort(louder)[0];
}

/** Loudest first, then what stands still, then by code. @param {any} a @param {any} b */
function order(a, b) {
  if (a.worst && b.worst) return louder(a.worst, b.worst);
  if (a.worst || b.worst) return a.worst ? -1 : 1;
  const rank = (/** @type {any} */ one) => STATE_RANK[/** @type {keyof typeof STATE_RANK} */ (one.asset.operating)] ?? 2;
  return rank(a) - rank(b) || a.asset.code.localeCompare(b.asset.code);
}

/** @param {any} asset @param {any} worst */
function cell(asset, worst) {
  const since = h("p", { class: "board-since" });
  const figure = h("p", { class: "board-figure" });
  const who = worst?.order_who || asset.order?.who;
  const coming = worst || (asset.order && !["verified", "cancelled", "completed"].includes(asset.order.status));
  const element = h(
    "article",
    { class: `card board-cell${worst ? ` is-${worst.severity}` : ""}` },
    h("h2", {}, code(asset.code), " ", h("span", {}, asset.name)),
    h("p", { class: "board-state" }, worst ? severityChip(worst.severity, worst.acknowledged, asset.operating === "fault" ? _("Fault") : typeWord(worst)) : operatingChip(asset), since),
    figure,
    coming ? h("p", { class: "board-who" }, icon("wrench"), " ", who ? _("{name} coming", { name: who }) : _("nobody yet")) : null,
  );
  return { asset, worst, since, figure, element };
}

function show() {
  const all = [...assets.values()].filter((asset) => headline(asset)).map((asset) => ({ asset, worst: worstOf(asset) })).sort(order);
  const next = all.map(({ asset, worst }) => [asset.id, asset.operating, asset.operating_since, worst?.id, worst?.rev, asset.order?.status, asset.order?.who].join()).join(";");
  if (next === key && shown.length) return;
  key = next;
  const made = all.map(({ asset, worst }) => cell(asset, worst));
  shown = made;
  fill(byId("board"), made.length ? made.map((one) => one.element) : empty(_("No machines yet. Add sources and tags to see them here.")));
  const wrong = all.filter((one) => one.worst).length;
  setText(byId("board-count"), wrong === 0 ? _("All calm") : wrong === 1 ? _("1 needs somebody") : _("{n} need somebody", { n: wrong }));
  tick(now());
}

/** @param {number} nowMs */
function tick(nowMs) {
  for (const one of shown) {
    const start = ms(one.worst?.raised_at || one.asset.operating_since);
    setText(one.since, start ? duration(nowMs - start) : "");
    const tag = one.asset.tags.find((/** @type {any} */ t) => t.name === one.worst?.tag && t.kind === "f64") || headline(one.asset);
    if (!tag) continue;
    const judged = judge(tag, value(tag.name), nowMs);
    const limit = one.worst && judged.limit ? ` · ${_("limit {limit}", { limit: number(judged.limit.value, tag.decimals) })}` : "";
    const old = judged.freshness === "fresh" ? "" : judged.freshness === "stale" ? ` · ${_("Stale")}` : ` · ${_("no data")}`;
    setText(one.figure, `${labelOf(tag)} ${judged.text} ${tag.unit}${limit}${old}`);
    one.figure.classList.toggle("is-old", judged.freshness !== "fresh");
  }
  setText(byId("board-clock"), time(nowMs));
  showLink();
}

function showLink() {
  const gone = linkState() === "lost" && lostFor() > SHOWN_AFTER_MS;
  const place = byId("no-connection");
  if (place.hidden === gone) place.hidden = !gone;
  byId("main").inert = gone;
  if (gone) setText(byId("no-connection-for"), _("for {time}. What the machines do is not known here.", { time: duration(lostFor()) }));
}

subscribe({ overview: true });
onChange(show);
on("values", () => tick(now()));
on("link", showLink);
everyTick(tick);
try {
  await load("assets", "alerts");
  show();
} catch (error) {
  fill(byId("board"), empty(error instanceof Error ? error.message : String(error)));
}
