// @ts-check
// The overview page: cells, key figures, who is on the way, last events. Values by push, the rest by REST and facts.
import { get } from "./api.js";
import { showAlarmBar, tickAlarmBar } from "./alarmbar.js";
import { Cell } from "./cells.js";
import { byId, code, empty, fill, h, icon, setText, toast } from "./dom.js";
import { duration, initials, moment, time } from "./format.js";
import { eventLine } from "./eventline.js";
import { on, subscribe } from "./live.js";
import { everyTick, now } from "./now.js";
import { alerts, assets, concerns, load, onChange, orders } from "./store.js";
import { headline } from "./tags.js";
import { _ } from "./words.js";
import { onTheme } from "./canvas.js";

/** @type {Map<number, Cell>} */
const cells = new Map();
/** @type {any} */
let summary = null;

function showCells() {
  const wanted = [...assets.values()].filter((asset) => headline(asset));
  if (!wanted.length) fill(byId("cells"), empty(_("No machines yet. Add sources and tags to see them here.")));
  for (const asset of wanted) {
    let cell = cells.get(asset.id);
    if (!cell) {
      cell = new Cell(asset);
      cells.set(asset.id, cell);
      byId("cells").append(cell.element);
    }
    cell.update(asset, [...alerts.values()].filter((alert) => concerns(alert, asset.id)), now());
  }
}

/** @param {string} key @param {string} text @param {string} [unit] */
function figure(key, text, unit) {
  fill(byId(`kpi-${key}`), text, unit ? h("span", { class: "unit" }, ` ${unit}`) : null);
}

function showFigures() {
  const o = summary?.orders || {};
  figure("open", String(o.open ?? "—"));
  fill(byId("kpi-open-note"), o.urgent ? h("b", { class: "crit" }, _("{n} urgent", { n: o.urgent })) : _("0 urgent"), ` · ${_("{high} high · {other} other", { high: o.high ?? 0, other: o.other ?? 0 })}`);
  figure("overdue", String(o.overdue ?? "—"));
  setText(byId("kpi-overdue-note"), o.next_due ? _("next due {time}, {number}", { time: moment(o.next_due.at, now()), number: o.next_due.number }) : _("nothing is due"));
  const down = summary?.downtime_s || {};
  figure("downtime", down.today === undefined || down.today === null ? "—" : hours(down.today), _("min"));
  setText(byId("kpi-downtime-note"), down.mean_7d === undefined || down.mean_7d === null ? " " : _("7-day mean {time} min", { time: hours(down.mean_7d) }));
  const repair = summary?.mttr_s;
  figure("mttr", repair === undefined || repair === null ? "—" : hours(repair), _("min"));
  setText(byId("kpi-mttr-note"), summary?.mttr_n ? (summary.mttr_n === 1 ? _("one repair in 30 days") : _("mean of 30 days, {n} repairs", { n: summary.mttr_n })) : _("no repairs in 30 days"));
  const pm = summary?.pm || {};
  figure("pm", pm.percent === undefined || pm.percent === null ? "—" : String(Math.round(pm.percent)), "%");
  setText(byId("kpi-pm-note"), pm.due ? _("30 days · {done} of {due}", { done: pm.done, due: pm.due }) : _("none due in 30 days"));
  const gaps = summary?.gaps || {};
  figure("gaps", String(gaps.today ?? "—"));
  fill(byId("kpi-gaps-note"), gaps.open ? h("b", { class: "warn" }, _("{n} open", { n: gaps.open })) : _("none open"), gaps.open_source ? ` · ${gaps.open_source}` : "");
}

/** @param {number} s */
function hours(s) {
  const min = Math.round(s / 60);
  return `${Math.floor(min / 60)} h ${String(min % 60).padStart(2, "0")}`;
}

/** Only who may read the system's state is told; a night without a backup is amber. */
function showBackup() {
  if (!summary || !("backup" in summary)) return;
  const made = summary.backup;
  const late = !made?.at || made.failed || made.age_s > 26 * 3600;
  const text = made?.failed ? _("The last backup failed: {why}", { why: made.failed }) : made?.at ? _("Last backup {time} ago", { time: duration(made.age_s * 1000) }) : _("No backup yet");
  const place = byId("backup-age");
  place.hidden = false;
  place.classList.toggle("warn", late && Boolean(made));
  fill(place, late && made ? [icon("warning-line"), " "] : null, text);
}

function showPeople() {
  const coming = [...orders.values()].filter((order) => order.assigned_to && ["assigned", "in_progress"].includes(order.status)).sort((a, b) => b.id - a.id);
  const rows = coming.slice(0, 3).map((order) =>
    h(
      "li",
      {},
      h("span", { class: "avatar", "aria-hidden": "true" }, initials(order.assigned_to.name)),
      h("span", {}, h("b", {}, order.assigned_to.name), " → ", code(order.asset.code)),
      h("span", { class: "quiet" }, order.status === "in_progress" ? _("at work since {time}", { time: time(order.started_at) }) : _("{number} assigned {time}", { number: order.number, time: time(order.assigned_at || order.created_at) })),
    ),
  );
  fill(byId("on-the-way"), rows.length ? rows : h("li", { class: "quiet" }, _("Nobody has to go anywhere.")));
}

/** @type {any[]} */
let events = [];

function showEvents() {
  const rows = events.slice(0, 8).map((fact) => {
    const line = eventLine(fact);
    return h("li", {}, h("span", { class: "when" }, time(fact.at)), icon(line.shape, line.hue), h("span", { class: "what" }, line.text), h("small", {}, line.more));
  });
  fill(byId("events"), rows.length ? rows : h("li", { class: "quiet" }, _("Nothing has happened yet.")));
}

async function loadSummary() {
  summary = await get("/api/dashboard/summary");
  if (!events.length) events = (summary.events || []).filter(eventLine);
  showFigures();
  showBackup();
  showEvents();
}

let summaryDue = 0;
function refreshSummary() {
  clearTimeout(summaryDue);
  summaryDue = window.setTimeout(() => loadSummary().catch(() => {}), 400); // facts come in bursts; one request answers them all
}

/** @param {import("./live.js").Fact | null} fact */
function takeChange(fact) {
  if (fact && eventLine(fact)) events = [fact, ...events.filter((one) => one.seq !== fact.seq)].slice(0, 30);
  showCells();
  showPeople();
  showEvents();
  showAlarmBar(now());
  refreshSummary();
}

subscribe({ overview: true });
showAlarmBar(now());
showFigures();
onChange(takeChange);
on("values", (names) => {
  const at = now();
  for (const cell of cells.values()) {
    if (!cell.tag || !names.has(cell.tag.name)) continue;
    cell.sample();
    cell.tick(at);
  }
});
everyTick((at) => {
  for (const cell of cells.values()) cell.tick(at);
  tickAlarmBar(at);
});
onTheme(() => {
  for (const cell of cells.values()) cell.drawnAt = 0;
});
try {
  await load("assets", "alerts", "orders");
  takeChange(null);
  await loadSummary();
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
