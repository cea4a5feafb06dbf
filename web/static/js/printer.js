// @ts-check
// The page of a machine with an array tag: heatmap by push or from history, frame strip, signals, alarms.
import { get, getFrame } from "./api.js";
import { showSide, wireDialogs } from "./assetside.js";
import { onTheme } from "./canvas.js";
import { byId, fill, h, setText, toast } from "./dom.js";
import { age, duration, number, plain, time } from "./format.js";
import { drawStrip, thin } from "./framestrip.js";
import { decode, paint, statistics } from "./heatmap.js";
import { showExtreme } from "./hotspot.js";
import { on, subscribe } from "./live.js";
import { everyTick, now } from "./now.js";
import { Signals } from "./signals.js";
import { assets, load, onChange } from "./store.js";
import { normalRange } from "./tags.js";
import { CAN_UNPACK } from "./unpack.js";
import { _ } from "./words.js";

const assetCode = byId("head").dataset.code || "";
const path = `/api/assets/${encodeURIComponent(assetCode)}`;
/** @type {any} */
let asset = null;
/** @type {import("./tags.js").Tag | null} */
let plate = null;
/** @type {import("./heatmap.js").Frame | null} */
let frame = null;
/** @type {import("./framestrip.js").FrameRow[]} */
let rows = [];
let chosen = -1; // -1: live
/** @type {"limits" | "thermal"} */
let mode = "limits";
/** @type {Signals | null} */
let signals = null;
let limits = { warning: Infinity, critical: Infinity };
/** @type {[number, number]} */
let range = [0, 1];

/** Min, mean and deviation of the picture stand above the table already. @param {import("./tags.js").Tag} tag */
const isStatistic = (tag) => ["min", "mean", "std"].some((word) => tag.name === `${plate?.name}.${word}`);

/** Limits of the picture: its own, else those of its maximum. */
function readLimits() {
  const top = asset.tags.find((/** @type {any} */ tag) => tag.name === `${plate?.name}.max`);
  const source = plate?.limits?.length ? plate : top;
  const wall = (/** @type {string} */ severity) => source?.limits.find((/** @type {any} */ l) => l.side === "high" && l.severity === severity)?.value;
  const own = (plate && normalRange(plate)) || (top && normalRange(top));
  limits = { critical: wall("critical") ?? Infinity, warning: wall("warning") ?? wall("critical") ?? own?.[1] ?? Infinity };
  if (own) range = own;
}

function show() {
  if (!frame || !plate) return;
  const stats = statistics(frame);
  const canvas = /** @type {HTMLCanvasElement} */ (byId("plate"));
  paint(canvas, frame, stats, mode, Number.isFinite(limits.warning) ? [range[0], limits.warning] : [stats.min, stats.max], limits);
  showExtreme(frame, stats, limits, plate.decimals);
  for (const [key, v] of Object.entries({ min: stats.min, mean: stats.mean, max: stats.max, std: stats.std })) {
    const hue = key === "std" ? "" : v > limits.critical ? "crit" : v > limits.warning ? "warn" : "";
    fill(byId(`stat-${key}`), h("span", { class: hue }, number(v, 1)), h("span", { class: "unit" }, ` ${frame.unit}`));
  }
  showAxes();
  showLegend(stats);
  setText(byId("plate-words"), _("{rows} by {columns} cells from {min} to {max} {unit}; the hottest is at {x}, {y}.", { rows: frame.rows, columns: frame.columns, min: number(stats.min, 1), max: number(stats.max, 1), unit: frame.unit, x: stats.column, y: stats.row }));
}

function showAxes() {
  if (!frame) return;
  const steps = (/** @type {number} */ n) => [0, 0.25, 0.5, 0.75, 1].map((share) => h("span", {}, String(Math.round(n * share))));
  if (!byId("x-axis").childElementCount) {
    fill(byId("x-axis"), steps(frame.columns));
    fill(byId("y-axis"), steps(frame.rows));
  }
}

/** @param {import("./heatmap.js").Stats} stats */
function showLegend(stats) {
  const one = (/** @type {string} */ cls, /** @type {string} */ text) => h("span", {}, h("span", { class: `swatch ${cls}` }), text);
  if (mode === "thermal") return fill(byId("legend"), one("thermal", `${number(stats.min, 0)} – ${number(stats.max, 0)} ${frame?.unit}`));
  const known = Number.isFinite(limits.warning);
  const split = limits.critical > limits.warning && Number.isFinite(limits.critical);
  return fill(
    byId("legend"),
    one("ramp", known ? _("{low} – {high} normal", { low: plain(range[0], 0), high: plain(limits.warning, 0) }) : `${number(stats.min, 0)} – ${number(stats.max, 0)}`),
    known && split && one("amber-box", _("{low} – {high} warning", { low: plain(limits.warning, 0), high: plain(limits.critical, 0) })),
    known && one(split ? "red-box" : "amber-box", _("above {v} {word}", { v: plain(split ? limits.critical : limits.warning, 0), word: split ? _("critical") : _("warning") })),
  );
}

/** @param {number} nowMs */
function showAge(nowMs) {
  if (!frame) return;
  const ageMs = nowMs - frame.t;
  const stale = chosen < 0 && ageMs > 2000 * (plate?.period_s || 1) + 500; // as judge() in tags.js
  byId("stage").closest(".printer-grid")?.classList.toggle("is-old", stale);
  const words = chosen < 0 ? (stale ? _("Stale {time}", { time: duration(ageMs) }) : age(ageMs)) : _("frame of {time}", { time: time(frame.t, true) });
  setText(byId("plate-meta"), `${frame.rows} × ${frame.columns} · ${frame.unit} · ${words}`);
}

async function loadStrip() {
  if (!plate) return;
  const query = new URLSearchParams({ tag: plate.name, from: String(Math.round(now() - 7200e3)), to: String(Math.round(now())), limit: "5000" });
  rows = thin((await get(`/api/frames?${query}`)).rows, 66);
  showStrip();
}

function showStrip() {
  drawStrip(/** @type {HTMLCanvasElement} */ (byId("strip")), rows, chosen, limits);
  const at = rows[chosen < 0 ? rows.length - 1 : chosen];
  setText(byId("strip-from"), rows.length ? time(rows[0][0]) : _("No frames yet."));
  setText(byId("strip-what"), rows.length ? _("maximum of each frame, {unit}", { unit: plate?.unit || "" }) : "");
  setText(byId("strip-at"), at ? (chosen < 0 ? _("live {time}", { time: time(at[0]) }) : time(at[0], true)) : "");
  /** @type {HTMLButtonElement} */ (byId("earlier")).disabled = !rows.length || chosen === 0;
  /** @type {HTMLButtonElement} */ (byId("later")).disabled = chosen < 0;
}

/** @param {number} index */
async function pick(index) {
  if (!plate || !rows.length) return;
  chosen = index >= rows.length - 1 ? -1 : Math.max(0, index);
  showStrip();
  const at = chosen < 0 ? now() : rows[chosen][0];
  const found = await getFrame(`/api/frames/at?tag=${encodeURIComponent(plate.name)}&t=${Math.round(at)}`);
  frame = decode(found.meta, found.data);
  show();
}

const failed = (/** @type {any} */ error) => toast(error.message);
byId("earlier").addEventListener("click", () => pick((chosen < 0 ? rows.length - 1 : chosen) - 1).catch(failed));
byId("later").addEventListener("click", () => pick(chosen + 1).catch(failed));
byId("strip").addEventListener("click", (event) => {
  const box = byId("strip").getBoundingClientRect();
  pick(Math.floor(((event.clientX - box.left) / box.width) * rows.length)).catch(failed);
});
byId("modes").addEventListener("click", (event) => {
  const button = event.target instanceof HTMLElement ? event.target.closest("button") : null;
  if (!button) return;
  mode = button.dataset.mode === "thermal" ? "thermal" : "limits";
  for (const one of byId("modes").querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
  show();
});

on("frame", (meta, data) => {
  if (!plate || meta.id !== plate.id || chosen >= 0) return;
  frame = decode(meta, data);
  requestAnimationFrame(show);
});
on("values", (names) => signals?.take(names));
everyTick((at) => {
  signals?.tick(at);
  showAge(at);
});
onChange(() => {
  if (asset) showSide((asset = assets.get(asset.id) || asset));
});
onTheme(() => (show(), showStrip()));
new ResizeObserver(() => (show(), showStrip())).observe(byId("stage")); // ring, label and strip are placed in px
setInterval(() => loadStrip().catch(() => {}), 15_000); // frames come once a second: the strip need not follow each

try {
  const [body] = await Promise.all([get(path), load("alerts", "orders")]);
  assets.set(body.id, body);
  asset = body;
  plate = body.tags.find((/** @type {any} */ tag) => tag.kind === "frame") || null;
  setText(byId("plate-label"), plate?.label || plate?.name || "");
  readLimits();
  showSide(body);
  wireDialogs(body);
  subscribe({ assets: [body.id], frames: plate ? [plate.name] : [], packed: CAN_UNPACK });
  signals = new Signals(byId("signals"), body.tags.filter((/** @type {any} */ tag) => !isStatistic(tag)), () => {});
  await loadStrip();
  if (!frame) await pick(rows.length);
} catch (error) {
  failed(error);
}
