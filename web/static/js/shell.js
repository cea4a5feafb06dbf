// @ts-check
// What every control-room page has: link and data age, clock, alarm count, search, account menu, theme.
import { get } from "./api.js";
import { themeChanged } from "./canvas.js";
import { byId, code, fill, h, icon, setText } from "./dom.js";
import { age, duration, time } from "./format.js";
import { wireMenu } from "./menu.js";
import { linkState, lostFor, newestAt, on, subscribeByDefault, value } from "./live.js";
import { everyTick } from "./now.js";
import { load, loud, onChange } from "./store.js";
import { _ } from "./words.js";

const badge = byId("live-badge");
const strip = byId("lost-strip");

/** @type {Map<string, boolean>} whether the newest sample of a tag is lost */
const lostTags = new Map();
on("values", (names) => {
  for (const name of names) lostTags.set(name, value(name)?.q === 2);
});
const allLost = () => lostTags.size > 0 && [...lostTags.values()].every(Boolean);

/** @param {number} nowMs */
function showLink(nowMs) {
  const link = linkState();
  const shown = link === "live" && allLost() ? "source-lost" : link;
  if (badge.dataset.link !== shown) {
    badge.dataset.link = shown;
    badge.querySelector("svg")?.replaceWith(icon(["lost", "source-lost"].includes(shown) ? "cut" : "live"));
  }
  setText(byId("link-word"), shown === "source-lost" ? _("Source lost") : link === "live" ? _("Live") : link === "lost" ? _("No connection") : _("Connecting"));
  setText(byId("data-age"), newestAt() ? _("data {age}", { age: age(nowMs - newestAt()) }) : _("no data yet"));
  strip.hidden = link !== "lost";
  if (link === "lost") setText(byId("lost-text"), _("No connection, {time}. Values below are old; it reconnects by itself.", { time: duration(lostFor()) }));
  document.documentElement.dataset.link = link;
  setText(byId("clock"), time(nowMs, true));
}

function showAlarmCount() {
  const pill = document.getElementById("alarm-count");
  const all = loud();
  const open = all.length;
  if (!pill) return;
  pill.hidden = open === 0;
  pill.classList.toggle("calm", !all.some((alert) => alert.condition === "active" && !alert.acknowledged)); // red asks for a person now
  fill(pill, String(open), h("span", { class: "visually-hidden" }, ` ${_("open alarms")}`));
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  themeChanged();
}

function wireSearch() {
  const input = /** @type {HTMLInputElement} */ (byId("search"));
  const found = byId("found");
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      input.focus();
    }
    if (event.key === "Escape") found.hidden = true;
  });
  input.addEventListener("input", async () => {
    const wanted = input.value.trim().toLowerCase();
    const rows = wanted ? await search(wanted) : [];
    if (wanted !== input.value.trim().toLowerCase()) return;
    fill(found, rows.length ? rows : h("p", { class: "empty" }, _("Nothing is called that.")));
    found.hidden = !wanted;
  });
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const first = found.querySelector("a");
    if (first && !found.hidden) location.assign(first.href);
  });
}

/** @param {string} wanted @returns {Promise<HTMLElement[]>} */
async function search(wanted) {
  const [assets, orders] = await Promise.all([get("/api/assets?limit=500"), get("/api/work-orders?limit=500")]);
  const row = (/** @type {string} */ href, /** @type {string} */ name, /** @type {string} */ text) => h("a", { href }, h("b", {}, code(name)), ` ${text}`);
  const machines = assets.items
    .filter((/** @type {any} */ a) => `${a.code} ${a.name} ${a.tags.map((/** @type {any} */ t) => `${t.name} ${t.label}`).join(" ")}`.toLowerCase().includes(wanted))
    .map((/** @type {any} */ a) => row(`/assets/${encodeURIComponent(a.code)}`, a.code, a.name));
  const work = orders.items
    .filter((/** @type {any} */ o) => `${o.number} ${o.title}`.toLowerCase().includes(wanted))
    .map((/** @type {any} */ o) => row(`/orders/${o.number}`, o.number, o.title));
  return [...machines.slice(0, 6), ...work.slice(0, 6)];
}

everyTick(showLink);
on("link", () => showLink(Date.now()));
onChange(showAlarmCount);
wireMenu();
byId("theme-switch").addEventListener("click", switchTheme);
wireSearch();
load("alerts").then(showAlarmCount, () => {});
setTimeout(subscribeByDefault, 1500);
