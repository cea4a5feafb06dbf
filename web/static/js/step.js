// @ts-check
// One step on the phone: warning above the act, one sentence, the live value, one big act, PROBLEM always in reach.
import { get, upload } from "./api.js";
import { byId, fill, h, icon, setText, toast } from "./dom.js";
import { subscribe } from "./live.js";
import { LiveCard } from "./livecard.js";
import { everyTick, now } from "./now.js";
import { pressOnce, sendOnce } from "./sending.js";
import { inputOf, measure, photo } from "./stepinput.js";
import { assets, load } from "./store.js";
import { _ } from "./words.js";

const number = document.body.dataset.number || "";
const path = `/api/work-orders/${number}`;
const at = Number(byId("step-title").dataset.n) - 1;
/** @type {any[]} */
let steps = [];
/** @type {any} */
let step = null;
/** @type {LiveCard[]} */
let cards = [];
/** @type {import("./stepinput.js").Input} */
let input;
/** @type {HTMLButtonElement} */
let main;

/** @param {string} id */
function go(id) {
  const next = steps.findIndex((one) => String(one.id) === id);
  location.assign(next < 0 ? `/work/${number}/finish` : `/work/${number}/steps/${next + 1}`);
}

/** @param {any} body */
async function answer(body) {
  const result = await sendOnce(`${path}/steps/${encodeURIComponent(step.id)}`, body);
  go(String(result.next));
}

function changed() {
  setText(main, input.main.word());
  main.disabled = !input.main.ready();
}

/** Words are needed: a field above the acts. @param {string} label @param {string} word @param {(text: string) => Promise<any>} send */
function ask(label, word, send) {
  const field = /** @type {HTMLTextAreaElement} */ (h("textarea", { class: "input", id: "words", rows: 2, maxlength: 500 }));
  const button = /** @type {HTMLButtonElement} */ (h("button", { class: "act main", type: "button" }, word));
  button.addEventListener("click", () => (field.value.trim() ? pressOnce(button, () => send(field.value.trim()), toast) : field.focus()));
  fill(byId("acts"), h("label", { class: "group", for: "words" }, label), field, button, h("button", { class: "act", type: "button", onclick: showActs }, _("GO BACK")));
  field.focus();
}

async function problem(/** @type {string} */ text) {
  await sendOnce(`${path}/actions/problem`, { note: text });
  location.assign(`/work/${number}`);
}

function showActs() {
  main = /** @type {HTMLButtonElement} */ (h("button", { class: "act main", type: "button" }));
  main.addEventListener("click", () => pressOnce(main, () => answer(input.main.answer()), (message) => (toast(message), changed())));
  const seconds = input.seconds.map((second) => {
    const button = /** @type {HTMLButtonElement} */ (h("button", { class: "act", type: "button" }, second.word));
    button.addEventListener("click", () => {
      if (second.ask === "value") return /** @type {any} */ (input).openPad();
      if (second.ask === "note") return ask(_("What is wrong?"), _("SAVE FAIL"), (text) => answer({ option: "fail", note: text }));
      return pressOnce(button, () => answer(second.answer), toast);
    });
    return button;
  });
  const following = steps.slice(at + 1)[0];
  const skip = !step.must && h("button", { class: "act", type: "button", onclick: () => go(following ? String(following.id) : "end") }, _("SKIP"));
  const trouble = h("button", { class: "act", type: "button", onclick: () => ask(_("What is the problem?"), _("REPORT PROBLEM"), problem) }, _("PROBLEM"));
  fill(byId("acts"), main, h("div", { class: "acts-row" }, seconds, skip, trouble));
  changed();
}

function show() {
  setText(byId("step-title"), _("Step {n} of {total}", { n: at + 1, total: steps.length }));
  document.title = `${_("Step {n} of {total}", { n: at + 1, total: steps.length })} · ${number} · Sightline`;
  fill(byId("progress"), steps.map((one, i) => h("span", { class: i === at ? "here" : one.done ? "done" : "" })));
  const before = steps.slice(0, at).reverse().find((one) => one.done);
  /** @type {HTMLAnchorElement} */ (byId("back")).href = before ? `/work/${number}/steps/${steps.indexOf(before) + 1}` : `/work/${number}`;
  const warning = step.warn && h("p", { class: `warn-band sev-${step.warn.sev}` }, icon(step.warn.sev === "danger" ? "critical" : "warning"), h("span", {}, step.warn.t));
  const pictures = (step.media || []).filter((/** @type {any} */ one) => one.href).map((/** @type {any} */ one) => h("img", { class: "picture", src: one.href, alt: one.alt || "", width: one.w, height: one.h }));
  const done = step.answer && h("p", { class: "row quiet" }, icon("tick"), _("Answered by {name}. A new answer counts instead.", { name: step.answer.who || "—" }));
  fill(byId("step"), warning, h("h2", { class: "instruction" }, step.t), step.b && h("p", {}, step.b), pictures, cards.map((card) => card.element), input.body, done);
  showActs();
  for (const card of cards) card.tick(now());
}

/** The photo is kept before the answer names it; what is refused is said, and another can be taken. @param {File} file */
async function sendPhoto(file) {
  const form = new FormData();
  form.append("file", file);
  try {
    return await upload(`${path}/step-photos`, form);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error));
    return null;
  }
}

/** The cards of a step: the tag it measures first, with what it accepts. */
function makeCards() {
  const tags = [...assets.values()].flatMap((asset) => asset.tags);
  const names = [...new Set([step.in?.tag, ...(step.live || [])].filter(Boolean))];
  const found = names.map((name) => tags.find((tag) => tag.name === name)).filter(Boolean);
  cards = found.map((tag) => new LiveCard(tag, tag.name === step.in?.tag ? step.in : null));
  subscribe(found.length ? { tags: found.map((tag) => tag.name) } : { overview: true });
  const own = cards.find((card) => card.tag.name === step.in?.tag) || null;
  input = step.k === "measure" ? measure(step, changed, own, now) : step.k === "photo" ? photo(step, changed, sendPhoto) : inputOf(step, changed);
}

everyTick((nowMs) => {
  for (const card of cards) card.tick(nowMs);
  if (step?.k === "measure" && main && !main.textContent?.startsWith(_("SENDING"))) changed();
});
try {
  const [answered] = await Promise.all([get(`${path}/steps`), load("assets")]);
  steps = answered.steps;
  step = steps[at];
  if (!step) location.replace(`/work/${number}/finish`);
  else {
    makeCards();
    show();
  }
} catch (error) {
  toast(error instanceof Error ? error.message : String(error));
}
