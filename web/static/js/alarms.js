// @ts-check
// The alarms page: groups by asset with the first-out marked, returned and shelved ones visible, the rate at the side.
import { get, post, press } from "./api.js";
import { AlarmRow } from "./alarmrow.js";
import { showFlood, showFrequent, showRate, showShares } from "./alarmrate.js";
import { onTheme } from "./canvas.js";
import { setPrecision } from "./detectors.js";
import { byId, code, empty, fill, h, icon, refill, setText, toast } from "./dom.js";
import { subscribe } from "./live.js";
import { ms } from "./format.js";
import { everyTick, now } from "./now.js";
import { alerts, isShelved, load, louder, onChange, take } from "./store.js";
import { _ } from "./words.js";

const list = byId("alarm-list");
/** @type {Map<number, AlarmRow>} */
const rows = new Map();
/** @type {any[]} */
let history = [];
/** @type {any[]} */
let watched = [];
let tab = "open";
/** @type {any[]} */
let past = [];
/** @type {any[]} what work or a flood holds back, and what came and went so within a day */
let held = [];
let flood = false;
const DAY_MS = 86_400_000;

/** @type {Record<string, (alert: any) => boolean>} */
const TABS = {
  open: (a) => !a.watch && !a.suppressed,
  active: (a) => !a.watch && !a.suppressed && a.condition === "active" && !isShelved(a),
  returned: (a) => !a.watch && !a.suppressed && a.condition === "returned" && !isShelved(a),
  shelved: (a) => isShelved(a),
  suppressed: () => false,
  watch: (a) => a.watch,
  history: () => false,
};

/** @param {any} alert @param {boolean} [grouped] */
function rowOf(alert, grouped = false) {
  let row = rows.get(alert.id);
  if (!row) rows.set(alert.id, (row = new AlarmRow(alert)));
  else if (row.alert !== alert) row.update(alert);
  row.group(grouped);
  return row.element;
}

/** @param {any} alert */
const groupKey = (alert) => (alert.resolved_at ? "gone" : isShelved(alert) ? "shelved" : alert.condition === "returned" ? "returned" : `asset-${alert.asset?.id ?? 0}`);

/** @param {any[]} group */
function head(group) {
  const first = group[0];
  const key = groupKey(first);
  if (key === "gone") return h("div", { class: "group-head" }, icon("tick"), h("h2", {}, _("Came and went")), h("span", { class: "quiet" }, _("while they were held back, within a day")));
  if (key === "returned") return h("div", { class: "group-head" }, icon("tick"), h("h2", {}, _("Returned to normal")), h("span", { class: "quiet" }, first.watch ? _("leaves the watch list 24 h after its last return") : _("waiting for acknowledgement")));
  if (key === "shelved") return h("div", { class: "group-head" }, icon("clock"), h("h2", {}, _("Shelved")), h("span", { class: "quiet" }, _("comes back by itself")));
  const unseen = group.filter((alert) => !alert.acknowledged);
  const all = /** @type {HTMLButtonElement} */ (h("button", { class: "button end", type: "button" }, _("Acknowledge all {n}", { n: unseen.length })));
  all.addEventListener("click", () => press(all, async () => { for (const alert of unseen) take("alert", await post(`/api/alerts/${alert.id}/acknowledge`)); }, toast));
  const coming = first.order && `${first.order}${first.order_who ? `, ${_("{name} coming", { name: first.order_who })}` : ""}`;
  if (first.watch) return h("div", { class: "group-head" }, icon("advisory", "info"), h("h2", {}, first.asset ? [code(first.asset.code), ` ${first.asset.name}`] : _("System")), h("span", { class: "quiet" }, [first.asset?.area, group.length > 1 && _("{n} entries", { n: group.length })].filter(Boolean).join(" · ")));
  const words = [first.asset?.area, group.length === 1 ? _("1 alarm") : _("{n} alarms", { n: group.length }), coming].filter(Boolean).join(" · ");
  const worst = first.severity;
  return h("div", { class: "group-head" }, icon(worst === "advisory" ? "advisory" : worst, worst === "critical" ? "crit" : worst === "advisory" ? "info" : ""), h("h2", {}, first.asset ? [code(first.asset.code), ` ${first.asset.name}`] : _("System")), h("span", { class: "quiet" }, words), unseen.length > 1 && (document.body.dataset.rights || "").includes("alerts.acknowledge") && all);
}

function show() {
  for (const key of Object.keys(TABS)) setText(byId(`count-${key}`), key === "history" ? (history.length ? String(history.length) : "") : String(pool(key).length));
  const shown = tab === "history" ? history : pool(tab);
  if (!shown.length) return fill(list, empty(tab === "open" ? _("Nothing asks for a person.") : tab === "watch" ? _("No model finds anything unusual.") : _("None.")));
  if (tab === "history") return refill(list, shown.map((alert) => rowOf(alert)));
  /** @type {Map<string, any[]>} */
  const groups = new Map();
  for (const alert of shown.sort(louder)) groups.set(groupKey(alert), [...(groups.get(groupKey(alert)) || []), alert]);
  const order = [...groups.entries()].sort(([a], [b]) => rank(a) - rank(b));
  return refill(list, order.flatMap(([, group]) => [head(group), ...group.map((alert) => rowOf(alert, group.filter((other) => other.asset?.id === alert.asset?.id).length > 1))]));
}

/** @param {string} key */
const pool = (key) => (key === "suppressed" ? [...held] : pooled(key));
/** @param {string} key */
const pooled = (key) => (key === "watch" ? [...alerts.values()].filter((alert) => !watched.some((one) => one.id === alert.id && one.rev >= alert.rev)).concat(watched.filter((one) => (alerts.get(one.id)?.rev ?? -1) <= one.rev)) : [...alerts.values()]).filter(TABS[key]);
/** @param {string} key */
const rank = (key) => (key === "gone" ? 3 : key === "shelved" ? 2 : key === "returned" ? 1 : 0);

let spokenAt = 0;
/** Assertive, at most once in five seconds (UX.md 4.8). @param {any} alert */
function speak(alert) {
  if (now() - spokenAt < 5000 || alert.watch || alert.suppressed) return;
  spokenAt = now();
  setText(byId("alarm-voice"), `${alert.severity}: ${alert.asset?.code || ""} ${alert.title}`);
}

async function loadPast() {
  const [before, watch, hidden] = await Promise.all([get("/api/alerts?active=all&limit=500"), get("/api/alerts?active=true&watch=true&limit=200"), get("/api/alerts?suppressed=true&active=all&limit=200")]);
  history = before.items.filter((/** @type {any} */ a) => a.resolved_at);
  held = hidden.items.filter((/** @type {any} */ a) => !a.watch && (!a.resolved_at || now() - ms(a.resolved_at) < DAY_MS));
  flood = hidden.flood;
  past = [...before.items, ...hidden.items];
  watched = watch.items;
  setPrecision(watch.precision);
  for (const alert of [...watched, ...held]) rows.get(alert.id)?.update(alert);
  showFlood(flood, past, now());
  showRate(past, now());
  showFrequent(past, now());
  showShares(past, now());
  show();
}

byId("tabs").addEventListener("click", (event) => {
  const button = event.target instanceof HTMLElement ? event.target.closest("button") : null;
  if (button) choose(button);
});
byId("flood-held").addEventListener("click", () => choose(byId("tab-suppressed")));
byId("tabs").addEventListener("keydown", (event) => {
  const all = [...byId("tabs").querySelectorAll("button")];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = all[(all.findIndex((one) => one.getAttribute("aria-selected") === "true") + step + all.length) % all.length];
  choose(next);
  next.focus();
});

/** @param {HTMLElement} button */
function choose(button) {
  tab = button.dataset.tab || "open";
  for (const one of byId("tabs").querySelectorAll("button")) {
    one.setAttribute("aria-selected", String(one === button));
    one.tabIndex = one === button ? 0 : -1;
  }
  list.setAttribute("aria-labelledby", button.id);
  show();
  if (["watch", "suppressed", "history"].includes(tab)) loadPast().catch(() => {}); // no fact tells of what nobody is called for
}

subscribe({ overview: true });
onChange((fact) => {
  if (fact?.name === "alert.resolved") watched = watched.filter((one) => one.id !== fact.id);
  show();
  if (fact?.name === "alert.raised") speak(fact.data);
  if (!fact || fact.name === "alert.raised" || fact.name === "alert.suppressed" || fact.data?.suppressed) loadPast().catch(() => {});
});
const LOOK_AGAIN_MS = 30_000; // at the watch list while it is shown, at a flood while it is on
let ratedAt = 0;
let lookedAt = now();
everyTick((at) => {
  if ((tab === "watch" || flood) && at - lookedAt > LOOK_AGAIN_MS) {
    lookedAt = at;
    loadPast().catch(() => {}); // what is shown stays; the next look asks again
  }
  if (at - ratedAt > 5000) {
    ratedAt = at;
    showFlood(flood, past, at);
    showRate(past, at);
  }
  for (const row of rows.values()) if (row.element.isConnected) row.tick(at);
});
onTheme(() => loadPast().catch(() => {}));
try {
  await load("alerts", "assets");
  const names = new Set([...alerts.values()].map((alert) => alert.tag).filter(Boolean));
  if (names.size) subscribe({ overview: true, tags: [...names] });
  show();
  await loadPast();
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
