// @ts-check
// The frame of every screen: top line or warning band, content, at most four commands; one place that replaces the screen.

import { el, icon } from "./dom.js";
import { clock, duration, t } from "./words.js";

/**
 * @typedef {{say: string, act: () => void, main?: boolean, back?: boolean, disabled?: boolean}} Command
 * @typedef {{title?: string, sub?: string, ruled?: boolean, band?: Node | null, content: Node[], commands: Command[], focus?: string}} Screen
 */

const MOST_COMMANDS = 4;

let lastTick = { lost: false, silence: null, unsent: 0, attention: 0 }; // a new frame says at once what the old one said

/** @param {Command} command */
function button({ say, act, main, back, disabled }) {
  return el("button", { type: "button", class: main ? "main" : null, "data-back": back, disabled, onclick: act }, say);
}

/**
 * Replace the screen; focus goes to `focus` (a selector), else to the first command that can be given.
 * @param {Screen} screen
 */
export function show({ title = "", sub = "", ruled = false, band = null, content, commands, focus = "" }) {
  const root = /** @type {HTMLElement} */ (document.getElementById("screen"));
  const shown = commands.slice(0, MOST_COMMANDS);
  const children = [];
  if (band) children.push(band);
  if (title || !band) children.push(topLine(title, sub, ruled));
  children.push(el("div", { class: "content" }, ...content));
  if (shown.length) children.push(el("div", { class: "commands" }, ...shown.map(button)));
  root.replaceChildren(...children);
  tickFrame(lastTick);
  const target = (focus && root.querySelector(focus)) || root.querySelector(".commands button:not(:disabled)") || root;
  /** @type {HTMLElement} */ (target).focus({ preventScroll: true });
}

function topLine(title, sub, ruled) {
  return el(
    "header",
    { class: ruled ? "top ruled" : "top" },
    el("h1", {}, title, sub ? el("span", { class: "sub" }, sub) : null),
    el("div", { class: "at" }, el("span", { class: "link" }), el("b", { class: "clock" }, clock())),
  );
}

/** The amber band above the act. @param {string} word @param {string} text @param {string} [end] */
export function warningBand(word, text, end = "") {
  return el("div", { class: "band" }, icon("triangle"), el("p", {}, word ? el("b", {}, `${word}  `) : null, word ? text : el("b", {}, text)), end ? el("span", { class: "end" }, end) : null);
}

/** @param {any} state Patch the top line's link state and clock; texts only, so nothing moves. */
export function tickFrame(state) {
  lastTick = state;
  const { lost, silence, unsent, attention } = state;
  document.body.classList.toggle("is-lost", lost);
  const link = document.querySelector(".top .link");
  if (!link) {
    tickBand(lost, silence);
    return;
  }
  const counts = [unsent ? t("unsent", { count: unsent }) : "", attention ? t("attention", { count: attention }) : ""].filter(Boolean);
  const word = silence === null ? "" : lost ? t("lost_for", { age: duration(silence) }) : `${t("live")} · ${t("age", { age: duration(silence) })}`;
  setText(link, [...counts, word].filter(Boolean).join(" · "));
  link.classList.toggle("lost-mark", lost);
  setText(/** @type {Element} */ (document.querySelector(".top .clock")), clock());
}

/** Screens with a band instead of a top line say a lost link in the line above their content. */
function tickBand(lost, silence) {
  const place = document.querySelector(".where .link, .content > .link");
  if (!place) return;
  setText(place, lost ? t("lost_for", { age: duration(silence) }) : "");
  place.classList.toggle("lost-mark", lost);
}

/** @param {Element} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Say something to a screen reader, politely. */
export function speak(text) {
  setText(/** @type {Element} */ (document.getElementById("spoken")), text);
}
