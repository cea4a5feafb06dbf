// @ts-check
// The bell of the top bar and of the phone: how many messages wait, kept by push; its menu holds the last ten, and a click opens what one is about.
import { get, post } from "./api.js";
import { byId, empty, fill, h, setText, toast } from "./dom.js";
import { duration, ms } from "./format.js";
import { on } from "./live.js";
import { wireMenu } from "./menu.js";
import { now } from "./now.js";
import { _ } from "./words.js";

const SHOWN = 10;
const MOST = 99; // beyond it the pill says "99+"
let asked = 0;

/** @param {number} unread */
function count(unread) {
  const pill = byId("bell-count");
  pill.hidden = unread === 0;
  setText(pill, unread > MOST ? `${MOST}+` : String(unread));
  byId("bell").setAttribute("aria-label", unread ? _("Messages, {n} not read", { n: unread }) : _("Messages, none unread"));
}

/** Page of what a message is about; null where it is about nothing that has one. @param {any} message */
function pageOf(message) {
  if (message.downtime) return `/downtimes/${message.downtime}`;
  if (message.order) return `/work-orders/${message.order}`;
  return message.alert ? `/alerts/${message.alert}` : null;
}

/** @param {any} message @param {string | null} href */
async function read(message, href) {
  try {
    if (!message.read_at) await post(`/api/notifications/${message.id}/read`);
  } catch (error) {
    if (!href) toast(/** @type {Error} */ (error).message);
  }
  if (href) location.assign(href);
  else load();
}

/** @param {any} message */
function row(message) {
  const href = pageOf(message);
  const unread = !message.read_at;
  const act = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab is the browser's
    event.preventDefault();
    read(message, href);
  };
  const age = _("{time} ago", { time: duration(Math.max(0, now() - ms(message.created_at))) });
  const what = [
    h("span", { class: "bell-title" }, message.title, unread && h("span", { class: "visually-hidden" }, ` · ${_("not read")}`)),
    message.body && h("span", { class: "bell-body" }, message.body),
    h("span", { class: "meta" }, age),
  ];
  const attributes = { class: unread ? "bell-row unread" : "bell-row", onclick: act };
  return h("li", {}, href ? h("a", { ...attributes, href }, ...what) : h("button", { ...attributes, type: "button" }, ...what));
}

async function load() {
  const mine = (asked += 1);
  try {
    const found = await get(`/api/notifications?limit=${SHOWN}`);
    if (mine !== asked) return;
    count(found.unread);
    fill(byId("bell-rows"), found.items.length ? h("ul", {}, ...found.items.map(row)) : empty(_("Nobody told you anything yet.")));
  } catch (error) {
    if (mine === asked) fill(byId("bell-rows"), empty(/** @type {Error} */ (error).message));
  }
}

export function wireBell() {
  if (!document.getElementById("bell")) return; // without the right there is no bell
  wireMenu("bell", load);
  const own = Number(document.body.dataset.userId);
  on("fact", (fact) => {
    if (fact.name === "notification.created" && fact.data?.user === own) load();
  });
  on("reset", load);
  load();
}
