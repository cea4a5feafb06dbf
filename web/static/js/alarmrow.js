// @ts-check
// One alarm as a row, with its acts in place; shelving opens under the row, never as a dialog.
import { post, press } from "./api.js";
import { figureOf, tagOf, wallOf } from "./figures.js";
import { chip, severityChip } from "./chips.js";
import { seenBy, signals, worth } from "./detectors.js";
import { foldedAdvice } from "./diagnosis.js";
import { code, fill, h, icon, setText, toast } from "./dom.js";
import { age, duration, ms, number, time } from "./format.js";
import { now } from "./now.js";
import { isShelved, take } from "./store.js";
import { normalRange } from "./tags.js";
import { _ } from "./words.js";

const rights = document.body.dataset.rights || "";
const SHELVE_MIN = [15, 60, 240, 480]; // at most one shift

/** @param {any} alert @param {string} act @param {any} [body] */
const send = (alert, act, body) => post(`/api/alerts/${alert.id}/${act}`, body).then((answer) => take("alert", answer));

/** @param {string} word @param {string} cls @param {() => Promise<any>} act */
function button(word, cls, act) {
  const element = /** @type {HTMLButtonElement} */ (h("button", { class: `button ${cls}`, type: "button" }, word));
  element.addEventListener("click", () => press(element, act, toast));
  return element;
}

/** @param {any} alert */
function stateChip(alert) {
  if (isShelved(alert)) return chip("", "clock", _("Shelved"));
  if (alert.condition === "returned") return chip("", "returned", _("Returned"));
  return severityChip(alert.severity, alert.acknowledged);
}

/** A row keeps its element; `tick` patches value and duration. */
export class AlarmRow {
  /** @param {any} alert */
  constructor(alert) {
    this.alert = alert;
    this.grouped = false;
    this.figure = h("p", { class: "figure" });
    this.under = h("p", { class: "quiet" });
    this.since = h("p", { class: "strong" });
    this.form = h("div", { hidden: true });
    this.main = h("div", { class: "alarm-row" });
    this.element = h("div", {}, this.main, this.form);
    this.update(alert);
  }

  /** @param {any} alert */
  update(alert) {
    this.alert = alert;
    const place = [signals(alert), alert.reason].filter(Boolean).join(" · ");
    const focused = this.#controls().findIndex((control) => control === document.activeElement);
    this.main.classList.toggle("unseen", !alert.acknowledged && !isShelved(alert) && !alert.resolved_at);
    fill(
      this.main,
      h("p", {}, stateChip(alert)),
      h("div", { class: "text" }, h("p", { class: "title" }, alert.title || alert.number, alert.first_out && this.grouped && h("span", { class: "first-out" }, _("First out"))), h("p", { class: "quiet" }, code(place || alert.number)), alert.watch && h("p", { class: "quiet" }, worth(alert))),
      h("div", { class: "figure-box" }, this.figure, this.under),
      h("div", { class: "since" }, this.since, h("p", { class: "quiet" }, this.#ackWords())),
      h("div", { class: "acts" }, this.#acts()),
      !alert.resolved_at && foldedAdvice(alert),
    );
    if (focused >= 0) this.#controls()[focused]?.focus({ preventScroll: true }); // a keyboard keeps its place
    this.tick(now());
  }

  /** @returns {HTMLElement[]} */
  #controls() {
    return [...this.main.querySelectorAll("button, a, summary")].filter((one) => one instanceof HTMLElement);
  }

  /** Whether other alarms of its machine stand beside it: only then "First out" says something. @param {boolean} grouped */
  group(grouped) {
    if (grouped === this.grouped) return;
    this.grouped = grouped;
    this.update(this.alert);
  }

  #ackWords() {
    const a = this.alert;
    if (a.resolved_at) return _("resolved by {name}", { name: a.resolved_by || "—" });
    if (isShelved(a)) return _("by {name}", { name: a.shelved_by || "—" });
    if (a.watch) return a.data?.verdict ? _("judged by {name}: nothing found", { name: a.data.judged_by || "—" }) : _("watch list");
    if (a.suppressed) return a.suppressed === "maintenance" ? _("maintenance mode") : _("flood");
    return a.acknowledged ? _("acknowledged by {name}", { name: a.acknowledged_by || "—" }) : _("not acknowledged");
  }

  #acts() {
    const a = this.alert;
    if (a.resolved_at) return [a.order && h("a", { class: "button", href: `/orders/${a.order}` }, _("Open order"))];
    if (isShelved(a)) return [rights.includes("alerts.shelve") && button(_("Return now"), "", () => send(a, "unshelve"))];
    if (a.watch) return this.#watchActs();
    const shelve = h("button", { class: "button calm", type: "button", "aria-expanded": "false" }, _("Shelve"));
    shelve.addEventListener("click", () => this.#toggleShelve(shelve));
    return [
      rights.includes("alerts.shelve") && !a.suppressed && shelve,
      a.order && a.acknowledged && h("a", { class: "button", href: `/orders/${a.order}` }, _("Open order")),
      !a.acknowledged && rights.includes("alerts.acknowledge") && button(_("Acknowledge"), "main", () => send(a, "acknowledge")),
      a.acknowledged && !a.order && rights.includes("orders.create") && button(_("New order"), "", () => this.#order()),
    ];
  }

  /** An entry of the watch list is taken seriously, also after all, or was looked at in vain; both are a verdict in the end. */
  #watchActs() {
    if (!rights.includes("alerts.resolve")) return [];
    if (this.alert.data?.verdict) return [button(_("Make it an alarm"), "", () => send(this.alert, "promote"))];
    const nothing = h("button", { class: "button calm", type: "button", "aria-expanded": "false" }, _("Nothing found"));
    nothing.addEventListener("click", () => this.#toggleDismiss(nothing));
    return [nothing, button(_("Make it an alarm"), "main", () => send(this.alert, "promote"))];
  }

  /** @param {HTMLElement} opener */
  #toggleDismiss(opener) {
    this.form.hidden = !this.form.hidden;
    opener.setAttribute("aria-expanded", String(!this.form.hidden));
    if (this.form.hidden) return;
    const name = `looked-${this.alert.id}`;
    const notes = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: name, maxlength: 500, required: true, autocomplete: "off" }));
    const error = h("p", { class: "error", role: "alert", hidden: true });
    const go = /** @type {HTMLButtonElement} */ (h("button", { class: "button main", type: "submit" }, _("Nothing found")));
    const form = h("form", { class: "shelve" }, h("div", { class: "field reason" }, h("label", { for: name }, _("What was looked at?")), notes, h("span", { class: "hint" }, _("Counts as a false finding: {detector}.", { detector: seenBy(this.alert.detector) })), error), h("div", { class: "acts" }, h("button", { class: "button calm", type: "button", onclick: () => this.#toggleDismiss(opener) }, _("Cancel")), go));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      press(go, () => send(this.alert, "dismiss", { notes: notes.value.trim() }).then(() => { this.form.hidden = true; }), (/** @type {string} */ message) => {
        fill(error, icon("critical-line"), message);
        error.hidden = false;
      });
    });
    fill(this.form, form);
    notes.focus();
  }

  async #order() {
    const order = await post("/api/work-orders/from-alert", { alert_id: this.alert.id });
    location.assign(`/orders/${order.number}`);
  }

  /** @param {HTMLElement} opener */
  #toggleShelve(opener) {
    const open = this.form.hidden === true;
    opener.setAttribute("aria-expanded", String(open));
    this.form.hidden = !open;
    if (!open) return;
    let minutes = 60;
    const what = this.alert.tag || this.alert.asset?.code || this.alert.number;
    const choices = SHELVE_MIN.map((m) => h("button", { type: "button", "aria-pressed": String(m === minutes), "data-min": m }, m % 60 ? _("{n} min", { n: m }) : _("{n} h", { n: m / 60 })));
    const group = h("div", { class: "segments", role: "group", "aria-label": _("Shelve until") }, choices);
    group.addEventListener("click", (event) => {
      const chosen = event.target instanceof HTMLElement ? event.target.dataset.min : undefined;
      if (!chosen) return;
      minutes = Number(chosen);
      for (const one of choices) one.setAttribute("aria-pressed", String(one.dataset.min === chosen));
      setText(hint, _("until {time}", { time: time(now() + minutes * 60e3) }));
    });
    const hint = h("span", { class: "hint" }, _("until {time}", { time: time(now() + minutes * 60e3) }));
    const reason = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: `why-${this.alert.id}`, maxlength: 200, required: true, autocomplete: "off" }));
    const error = h("p", { class: "error", role: "alert", hidden: true });
    const fail = (/** @type {string} */ message) => {
      fill(error, icon("critical-line"), message);
      error.hidden = false;
    };
    const go = /** @type {HTMLButtonElement} */ (h("button", { class: "button main", type: "submit" }, _("Shelve {what}", { what })));
    const form = h("form", { class: "shelve" }, h("div", { class: "field" }, h("span", { class: "label" }, _("Shelve until")), group, hint), h("div", { class: "field reason" }, h("label", { for: `why-${this.alert.id}` }, _("Reason")), reason, error), h("div", { class: "acts" }, h("button", { class: "button calm", type: "button", onclick: () => this.#toggleShelve(opener) }, _("Cancel")), go));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      press(go, () => send(this.alert, "shelve", { until: new Date(now() + minutes * 60e3).toISOString(), reason: reason.value.trim() }), fail);
    });
    fill(this.form, form);
    reason.focus();
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    const a = this.alert;
    const tag = tagOf(a);
    const shown = figureOf(a, nowMs);
    const calm = a.condition === "returned" || isShelved(a);
    this.figure.className = `figure ${calm ? "" : { critical: "crit", warning: "warn" }[/** @type {string} */ (a.severity)] || ""}`;
    this.main.classList.toggle("no-figure", !a.tag && a.value === null); // what a model finds of a machine has no number
    setText(this.figure, `${shown.text} ${shown.unit}`);
    const range = tag && normalRange(tag);
    const wall = a.limit !== null && a.type === "rule_violation" ? wallOf(a, tag) : range ? _("range {low} – {high}", { low: number(range[0], tag?.decimals), high: number(range[1], tag?.decimals) }) : "";
    setText(this.under, [wall, shown.judged && !Number.isNaN(shown.judged.ageMs) ? age(shown.judged.ageMs) : ""].filter(Boolean).join(" · "));
    const since = a.resolved_at ? time(a.resolved_at) : isShelved(a) ? _("until {time}", { time: time(a.shelved_until) }) : a.condition === "returned" ? time(a.returned_at, true) : duration(nowMs - ms(a.raised_at));
    setText(this.since, since);
  }
}
