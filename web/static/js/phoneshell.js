// @ts-check
// What every phone page has: the strip with link, data age and what is not sent yet.
import { wireBell } from "./bell.js";
import { byId, fill, icon, setText } from "./dom.js";
import { age, duration } from "./format.js";
import { linkState, lostFor, newestAt, on, subscribeByDefault } from "./live.js";
import { wireMenu } from "./menu.js";
import { everyTick, now } from "./now.js";
import { unsent } from "./sending.js";
import { _ } from "./words.js";

const strip = byId("live-badge");

/** @param {number} nowMs */
function show(nowMs) {
  const link = linkState();
  if (strip.dataset.link !== link) {
    strip.dataset.link = link;
    fill(byId("link-icon"), icon(link === "lost" ? "cut" : "live"));
  }
  setText(byId("link-word"), link === "live" ? _("Live") : link === "lost" ? _("No connection") : _("Connecting"));
  setText(byId("data-age"), link === "lost" ? duration(lostFor()) : newestAt() ? `· ${_("data {age}", { age: age(nowMs - newestAt()) })}` : "");
  setText(byId("unsent"), _("unsent {n}", { n: unsent() }));
}

everyTick(show);
on("link", () => show(now()));
if (document.getElementById("user-menu")) wireMenu();
wireBell();
setTimeout(subscribeByDefault, 1500);
