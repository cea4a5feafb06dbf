// @ts-check
// One order as a card of the board: id, priority, title, asset, live value if alert-born, steps, proof, who and due.
import { priorityMark } from "./chips.js";
import { code, fill, h, icon, setText } from "./dom.js";
import { age, duration, initials, moment, ms, number } from "./format.js";
import { value } from "./live.js";
import { now } from "./now.js";
import { assets } from "./store.js";
import { HUE, judge } from "./tags.js";
import { Spark } from "./spark.js";
import { _ } from "./words.js";

/** @param {number} share 0..1 @param {string} [cls] */
export function meter(share, cls = "") {
  const inner = h("span", {});
  inner.style.width = `${Math.min(100, Math.max(0, share * 100))}%`;
  return h("span", { class: `meter ${cls}`, "aria-hidden": "true" }, inner);
}

const RANK = ["urgent", "high", "normal", "low"];
/** Most urgent first, then what is due first, then the lower number: the order of the glasses too. @param {any} a @param {any} b */
export function byUrgency(a, b) {
  const due = (/** @type {any} */ o) => Date.parse(o.due_at || "") || Infinity;
  return RANK.indexOf(a.priority) - RANK.indexOf(b.priority) || due(a) - due(b) || a.id - b.id;
}

/** The tag that an alert-born order watches. @param {any} order @returns {import("./tags.js").Tag | undefined} */
export function tagOfOrder(order) {
  const name = order.alert?.tag || order.asset?.main_tag;
  return assets.get(order.asset?.id)?.tags.find((/** @type {any} */ tag) => tag.name === name && tag.kind === "f64");
}

/** A card keeps its element; `tick` patches the live part. */
export class OrderCard {
  /** @param {any} order */
  constructor(order) {
    this.order = order;
    this.tag = order.alert ? tagOfOrder(order) : undefined;
    this.element = h("a", { class: "card order-card", href: `/orders/${order.number}` });
    this.figure = h("p", { class: "figure" });
    this.under = h("p", { class: "quiet" });
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "spark", "aria-hidden": "true" }));
    this.spark = this.tag ? new Spark(this.tag, this.canvas) : null;
    this.drawnAt = 0;
    this.spark?.load(now()).catch(() => {}); // history away: the line starts now
    this.update(order);
  }

  /** @param {any} order */
  update(order) {
    this.order = order;
    const o = order;
    const closed = ["completed", "verified", "cancelled"].includes(o.status);
    this.loud = o.priority === "urgent" && o.alert?.condition === "active" && !closed;
    this.element.className = `card order-card${this.loud ? " is-critical" : ""}`;
    if (o.status === "verified") return fill(this.element, this.#closed());
    return fill(
      this.element,
      h("p", { class: "top" }, code(o.number), priorityMark(o.priority)),
      h("p", { class: "title" }, o.title),
      h("p", { class: "where" }, code(o.asset.code), ` ${o.asset.name}`),
      o.alert && !closed && h("div", { class: "live-part" }, h("div", {}, this.figure, this.under), this.tag ? this.canvas : null),
      o.status === "in_progress" && o.steps?.total > 0 && h("p", { class: "steps-bar" }, meter(o.steps.done / o.steps.total), _("step {done} of {total}", o.steps)),
      o.status === "on_hold" && h("p", { class: "row" }, icon("clock"), o.problem || o.hold_reason || _("on hold")),
      o.proof && o.status === "completed" && this.#proof(),
      h("p", { class: "foot" }, o.assigned_to ? h("span", { class: "avatar", title: o.assigned_to.name }, initials(o.assigned_to.name)) : h("span", {}, _("Nobody yet")), h("span", {}, this.#when())),
    );
  }

  #closed() {
    const o = this.order;
    const proved = o.verified_by === "signal";
    return [
      h("p", { class: "top" }, code(o.number), h("span", {}, moment(o.verified_at, now()))),
      h("p", { class: "title" }, `${o.title}, `, code(o.asset.code)),
      h("p", { class: proved ? "row strong proof" : "row strong quiet" }, icon(proved ? "seal" : "tick"), proved ? _("Proved by signal") : _("Verified by {name}", { name: o.verified_by || "—" })),
    ];
  }

  #proof() {
    const p = this.order.proof;
    if (p.state === "decision") return h("p", { class: "row strong warn" }, icon("warning"), _("Decision needed"));
    const words = p.state === "settling" ? _("Settling, then {all}", { all: duration(p.required_s * 1000) }) : _("Proving, {done} of {all}", { done: duration(p.good_s * 1000), all: duration(p.required_s * 1000) });
    return h("div", {}, h("p", { class: "row strong proof" }, icon("seal"), words), meter(p.good_s / p.required_s, "teal"));
  }

  #when() {
    const o = this.order;
    if (o.status === "on_hold") return _("since {time}", { time: moment(o.changed_at || o.created_at, now()) });
    if (o.status === "completed") return moment(o.completed_at, now());
    if (o.status === "requested") return moment(o.created_at, now());
    return o.due_at ? _("due {time}", { time: moment(o.due_at, now()) }) : moment(o.created_at, now());
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    const alert = this.order.alert;
    if (!alert) return;
    const sample = this.tag && value(this.tag.name);
    if (this.tag && sample) {
      const judged = judge(this.tag, sample, nowMs);
      this.spark?.add(sample.t, sample.q === 2 ? null : sample.v);
      this.figure.className = `figure ${judged.freshness === "fresh" ? HUE[judged.hue] : "quiet"}`;
      setText(this.figure, `${judged.text} ${this.tag.unit}`);
      const wall = judged.limit ? _("limit {limit}", { limit: number(judged.limit.value, this.tag.decimals) }) : "";
      setText(this.under, [wall, sinceWhen(judged)].filter(Boolean).join(" · "));
      if (nowMs - this.drawnAt > 900) {
        this.drawnAt = nowMs;
        this.spark?.draw(nowMs, judged.freshness !== "fresh");
      }
      return;
    }
    setText(this.figure, `${number(alert.value, alert.decimals ?? 2)} ${alert.unit || ""}`);
    setText(this.under, alert.raised_at ? _("for {time}", { time: duration(nowMs - ms(alert.raised_at)) }) : alert.title || "");
  }
}

/** How old the shown value is, in words; a lost tag whose last good value we never saw has no age. @param {import("./tags.js").Judged} judged */
function sinceWhen(judged) {
  if (judged.freshness === "stale") return _("Stale {time}", { time: duration(judged.ageMs) });
  if (judged.freshness !== "gone") return age(judged.ageMs);
  return Number.isNaN(judged.ageMs) ? _("no data") : _("lost for {time}", { time: duration(judged.ageMs) });
}
