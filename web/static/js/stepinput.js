// @ts-check
// The answer of a typed step (AR_FEED.md): what is shown for it in the middle, which acts stand in the foot.
import { h, icon } from "./dom.js";
import { number } from "./format.js";
import { _ } from "./words.js";

/**
 * @typedef {{word: () => string, ready: () => boolean, answer: () => any}} Main the one big act
 * @typedef {{word: string, answer?: any, ask?: "note" | "value"}} Second
 * @typedef {{body: HTMLElement | null, main: Main, seconds: Second[]}} Input
 */

/** @param {any} step @returns {string} */
const say = (step) => (step.say || _("DONE")).toUpperCase();

/** @param {any} step @param {() => void} changed @returns {Input} */
function choice(step, changed) {
  let picked = "";
  const rows = (step.opt || []).map((/** @type {any} */ option) => {
    const radio = h("input", { type: "radio", name: "option", value: option.k, onchange: () => { picked = option.k; changed(); } });
    return h("label", { class: "choice" }, radio, h("b", {}, option.t));
  });
  const chosen = () => (step.opt || []).find((/** @type {any} */ option) => option.k === picked);
  return { body: h("div", { class: "card rows", role: "radiogroup", "aria-label": step.t }, rows), main: { word: () => (chosen()?.say || _("CHOOSE ONE")).toUpperCase(), ready: () => picked !== "", answer: () => ({ option: picked }) }, seconds: [] };
}

/** @param {any} step @param {() => void} changed @returns {Input} */
function part(step, changed) {
  let count = step.part?.qty ?? 1;
  const shown = h("b", { "aria-live": "polite" }, String(count));
  const move = (/** @type {number} */ by) => {
    count = Math.max(0, count + by);
    shown.textContent = String(count);
    changed();
  };
  const body = h("div", { class: "card stepper" }, h("span", {}, step.part?.sku || _("Part")), h("button", { type: "button", "aria-label": _("One less"), onclick: () => move(-1) }, icon("minus")), shown, h("button", { type: "button", "aria-label": _("One more"), onclick: () => move(1) }, icon("plus")));
  return { body, main: { word: () => _("USED {n}", { n: count }), ready: () => true, answer: () => ({ value: count }) }, seconds: [] };
}

/** @param {any} step @param {() => void} changed @param {"value" | "code"} field @returns {Input} */
function typed(step, changed, field) {
  const input = /** @type {HTMLTextAreaElement} */ (h(field === "code" ? "input" : "textarea", { class: "input", id: "typed", rows: 3, maxlength: field === "code" ? 64 : 500, oninput: changed, autocomplete: "off" }));
  const body = h("div", {}, h("label", { class: "group", for: "typed" }, field === "code" ? _("Code on the label") : _("Your words")), input);
  return { body, main: { word: () => (field === "code" ? _("CHECK CODE") : _("SAVE TEXT")), ready: () => input.value.trim() !== "", answer: () => ({ [field]: input.value.trim() }) }, seconds: [] };
}

/** @param {any} step @param {() => void} changed @returns {Input} */
function timer(step, changed) {
  const end = performance.now() + (step.in?.seconds || 0) * 1000;
  const left = () => Math.max(0, Math.ceil((end - performance.now()) / 1000));
  const shown = h("p", { class: "instruction", role: "timer" });
  const clock = setInterval(() => {
    shown.textContent = _("{n} s", { n: left() });
    changed();
    if (!left()) clearInterval(clock);
  }, 250);
  return { body: shown, main: { word: () => say(step), ready: () => left() === 0, answer: () => ({}) }, seconds: [] };
}

/** A photo: taken or chosen, sent at once, named by the answer. @param {any} step @param {() => void} changed @param {(file: File) => Promise<any>} send @returns {Input} */
export function photo(step, changed, send) {
  let kept = 0;
  let word = _("TAKE A PHOTO");
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: "photo", type: "file", accept: "image/jpeg,image/png,image/webp", capture: "environment" }));
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    if (!file) return;
    [kept, word] = [0, _("SENDING")];
    changed();
    const answer = await send(file);
    [kept, word] = answer ? [answer.id, say(step)] : [0, _("TAKE A PHOTO")];
    changed();
  });
  const body = h("div", {}, h("label", { class: "group", for: "photo" }, _("Photo")), input);
  return { body, main: { word: () => word, ready: () => kept > 0, answer: () => ({ media: [kept] }) }, seconds: [] };
}

/** A measure: the live value when it is fresh, else what a person typed. @param {any} step @param {() => void} changed @param {import("./livecard.js").LiveCard | null} live @param {() => number} nowMs @returns {Input & {openPad: () => void}} */
export function measure(step, changed, live, nowMs) {
  const pad = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: "pad", inputmode: "decimal", autocomplete: "off", oninput: changed }));
  const box = h("div", { hidden: Boolean(live) }, h("label", { class: "group", for: "pad" }, _("Measured, {unit}", { unit: step.in?.unit || "" })), pad);
  const typedValue = () => (pad.value.trim() === "" ? Number.NaN : Number(pad.value.trim().replace(",", ".").replace("\u2212", "-")));
  const reading = () => (live && box.hidden ? live.now(nowMs()) : null);
  const fresh = () => reading()?.freshness === "fresh";
  const round = (/** @type {number} */ v) => Number(v.toFixed(step.in?.dec ?? 2));
  return {
    body: box,
    main: {
      word: () => (box.hidden ? (fresh() ? _("USE READING {v}", { v: number(reading()?.value, step.in?.dec ?? 2) }) : _("NO FRESH READING")) : _("USE {v}", { v: Number.isNaN(typedValue()) ? "—" : number(typedValue(), step.in?.dec ?? 2) })),
      ready: () => (box.hidden ? fresh() : Number.isFinite(typedValue())),
      answer: () => ({ value: round(box.hidden ? Number(reading()?.value) : typedValue()), unit: step.in?.unit }),
    },
    seconds: live ? [{ word: _("ENTER"), ask: "value" }] : [],
    openPad: () => {
      box.hidden = !box.hidden;
      if (!box.hidden) pad.focus();
      changed();
    },
  };
}

/** @param {any} step @param {() => void} changed @returns {Input} */
export function inputOf(step, changed) {
  if (step.k === "choice") return choice(step, changed);
  if (step.k === "part") return part(step, changed);
  if (step.k === "text") return typed(step, changed, "value");
  if (step.k === "scan") return typed(step, changed, "code");
  if (step.k === "timer") return timer(step, changed);
  if (step.k === "check") return { body: null, main: { word: () => (step.say || _("PASS")).toUpperCase(), ready: () => true, answer: () => ({ option: "pass" }) }, seconds: [{ word: _("FAIL"), ask: "note" }, { word: _("N/A"), answer: { option: "na" } }] };
  return { body: null, main: { word: () => say(step), ready: () => true, answer: () => ({}) }, seconds: [] };
}
