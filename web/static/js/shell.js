// @ts-check
// What every control-room page has: link and data age, clock, alarm count, search, account menu, theme.
import { get } from "./api.js";
import { wireBell } from "./bell.js";
import { themeChanged } from "./canvas.js";
import { byId, code, fill, h, icon, setText } from "./dom.js";
import { age, duration, time } from "./format.js";
import { wireMenu } from "./menu.js";
import { isAnswered, linkState, lostFor, newestAt, on, subscribeByDefault, value } from "./live.js";
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
  setText(byId("data-age"), newestAt() ? _("data {age}", { age: age(nowMs - newestAt()) }) : isAnswered() ? _("no data yet") : _("waiting for data"));
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
  let typed = 0;
  input.addEventListener("input", async () => {
    const wanted = input.value.trim();
    const mine = ++typed;
    await new Promise((resolve) => setTimeout(resolve, 150)); // one question a pause, not one a key
    if (mine !== typed) return;
    const rows = wanted ? await search(wanted) : [];
    if (mine !== typed) return;
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
  const asked = encodeURIComponent(wanted);
  const may = (/** @type {string} */ right) => (document.body.dataset.rights || "").split(" ").includes(right);
  const [assets, tags, orders] = await Promise.all([
    get(`/api/register/assets?limit=6&search=${asked}`),
    get(`/api/tags?limit=4&search=${asked}`),
    may("orders.read") ? get(`/api/work-orders?limit=6&search=${asked}`) : { items: [] },
  ]);
  const row = (/** @type {string} */ href, /** @type {string} */ name, /** @type {string} */ text) => h("a", { href }, h("b", {}, code(name)), ` ${text}`);
  const page = (/** @type {string} */ asset) => `/assets/${encodeURIComponent(asset)}`;
  return [
    ...assets.items.map((/** @type {any} */ a) => row(page(a.code), a.code, a.name)),
    ...tags.items.map((/** @type {any} */ t) => row(page(t.asset), t.tag, t.label || "")),
    ...orders.items.map((/** @type {any} */ o) => row(`/orders/${o.number}`, o.number, o.title)),
  ];
}

everyTick(showLink);
on("link", () => showLink(Date.now()));
onChange(showAlarmCount);
wireMenu();
wireBell();
byId("theme-switch").addEventListener("click", switchTheme);
wireSearch();
load("alerts").then(showAlarmCount, () => {});
setTimeout(subscribeByDefault, 300); // a page that shows values has asked by then, or asks later: its wish replaces this one
