// @ts-check
// The machine page: live signals, one trend with everything that happened on it, health, alarms and work.
import { get } from "./api.js";
import { showSide, ordersOf, wireDialogs } from "./assetside.js";
import { onTheme } from "./canvas.js";
import { byId, code, fill, setText, toast } from "./dom.js";
import { number, time } from "./format.js";
import { on, subscribe, value } from "./live.js";
import { everyTick, now } from "./now.js";
import { proofSpan } from "./proofbox.js";
import { append, fetchSeries } from "./series.js";
import { Signals } from "./signals.js";
import { alerts, assets, concerns, load, onChange } from "./store.js";
import { crossed, headline, labelOf, normalRange } from "./tags.js";
import { Trend } from "./trend.js";
import { _ } from "./words.js";

const assetCode = byId("head").dataset.code || "";
const path = `/api/assets/${encodeURIComponent(assetCode)}`;
const trend = new Trend(byId("chart"), showReadOut);
/** @type {any} */
let asset = null;
/** @type {import("./tags.js").Tag | null} */
let chosen = null;
/** @type {import("./series.js").Series | null} */
let series = null;
/** @type {Signals | null} */
let signals = null;
/** @type {any} */
let happened = { alerts: [], orders: [], operating: [] };
let minutes = 60;
let drawnAt = 0;

/** @param {number | null} index */
function showReadOut(index) {
  const t = index === null || !series ? undefined : series.x[index];
  const v = index === null || !series ? null : series.avg[index];
  setText(byId("read-out"), t === undefined || !chosen ? "" : `${number(v, chosen.decimals)} ${chosen.unit} · ${time(t * 1000, true)} · ${v === null ? _("no data") : _("good")}`);
}

/** @returns {[number, number]} */
function span() {
  const end = now();
  const proving = ordersOf(asset).find((order) => order.proof?.open);
  const room = proving ? Math.max(0, proofSpan(proving.proof, end).end - end) * 1.1 : 0;
  return [end - minutes * 60e3, end + Math.min(room, minutes * 30e3)];
}

/** @param {import("./tags.js").Tag} tag */
async function choose(tag) {
  chosen = tag;
  signals?.choose(tag);
  fill(byId("chart-title"), labelOf(tag), " ", code(tag.unit, "quiet"));
  const [from, to] = span();
  const answer = await fetchSeries(tag.name, from, Math.min(to, now()), 800);
  if (chosen !== tag) return;
  series = answer;
  draw();
  await mark();
  describe(tag);
}

function draw() {
  if (chosen && series && asset) trend.show(chosen, series, span());
  drawnAt = now();
}

async function mark() {
  const [from, to] = span();
  happened = await get(`${path}/events?from=${Math.round(from)}&to=${Math.round(to)}`);
  showMarks();
}

function showMarks() {
  if (!asset) return;
  const tag = chosen?.name;
  const raised = (happened.alerts || []).filter((/** @type {any} */ a) => !a.tag || a.tag === tag);
  const order = ordersOf(asset).find((one) => one.proof && one.proof.state !== "ended");
  const where = order && proofSpan(order.proof, now());
  trend.mark({ alerts: raised, orders: happened.orders || [], operating: happened.operating || [], proof: order && where ? { ...order.proof, started_at: where.start, ends_at: where.end } : null });
}

/** The picture in words, for those who do not see it. @param {import("./tags.js").Tag} tag */
function describe(tag) {
  const seen = (series?.avg || []).filter((/** @type {number | null} */ v) => v !== null);
  const range = normalRange(tag);
  const words = seen.length ? _("{n} points from {low} to {high} {unit}", { n: seen.length, low: number(Math.min(...seen), tag.decimals), high: number(Math.max(...seen), tag.decimals), unit: tag.unit }) : _("no data in this span");
  const limit = seen.length ? crossed(tag, seen[seen.length - 1]) : null;
  setText(byId("chart-words"), `${words}. ${range ? _("Normal range {low} to {high}.", { low: number(range[0], tag.decimals), high: number(range[1], tag.decimals) }) : ""} ${limit ? _("Past the limit {limit}.", { limit: number(limit.value, tag.decimals) }) : ""}`);
}

/** @param {any} body */
function takeAsset(body) {
  asset = body;
  showSide(asset);
}

byId("spans").addEventListener("click", (event) => {
  const button = event.target instanceof HTMLElement ? event.target.closest("button") : null;
  if (!button || !chosen) return;
  minutes = Number(button.dataset.minutes);
  for (const one of byId("spans").querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
  choose(chosen).catch((error) => toast(error.message));
});

on("values", (names) => {
  signals?.take(names);
  const sample = chosen && names.has(chosen.name) ? value(chosen.name) : undefined;
  if (sample && series && minutes <= 480) append(series, sample.t, sample.q === 2 ? null : sample.v, (minutes * 60e3) / 800);
});
everyTick((at) => {
  signals?.tick(at);
  if (series && at - drawnAt > Math.max(1000, minutes * 20)) draw();
  if (asset) showSide(asset);
});
onChange((fact) => {
  const mine = asset && assets.get(asset.id);
  if (mine) takeAsset(mine);
  if (asset && (!fact || (fact.data && concerns(fact.data, asset.id)) || fact.id === asset.id)) mark().catch(() => {});
});
onTheme(() => trend.restyle());

try {
  const [body] = await Promise.all([get(path), load("alerts", "orders")]);
  assets.set(body.id, body);
  takeAsset(body);
  wireDialogs(body);
  subscribe({ assets: [body.id] });
  signals = new Signals(byId("signals"), body.tags, (tag) => choose(tag).catch((error) => toast(error.message)));
  const first = headline(body);
  const loudest = [...alerts.values()].find((alert) => concerns(alert, body.id) && alert.tag);
  const start = body.tags.find((/** @type {any} */ tag) => tag.name === loudest?.tag && tag.kind === "f64") || first;
  if (start) await choose(start);
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
