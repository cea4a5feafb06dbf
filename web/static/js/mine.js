// @ts-check
// The technician's own work: now, today, later, being proved; the urgent one first with its live value.
import { get } from "./api.js";
import { priorityMark } from "./chips.js";
import { byId, code, empty, fill, h, icon, setText, toast } from "./dom.js";
import { age, duration, moment } from "./format.js";
import { on, subscribe, value } from "./live.js";
import { everyTick, now } from "./now.js";
import { byUrgency, tagOfOrder } from "./ordercard.js";
import { readCode } from "./scan.js";
import { Spark } from "./spark.js";
import { load, orders } from "./store.js";
import { HUE, judge } from "./tags.js";
import { _ } from "./words.js";

const me = Number(document.body.dataset.userId);
/** @type {{tag: import("./tags.js").Tag, spark: Spark, figure: HTMLElement, age: HTMLElement}[]} */
let live = [];

/** @param {any} o */
function groupOf(o) {
  if (o.status === "completed") return "proof";
  const due = Date.parse(o.due_at || "");
  if (o.priority === "urgent" || o.status === "in_progress" || due < now()) return "now";
  return Number.isNaN(due) || due < new Date(now()).setHours(23, 59, 59) ? "today" : "later";
}

/** @param {any} o */
function cardOf(o) {
  const loud = o.priority === "urgent" && o.status !== "completed";
  const tag = o.alert && tagOfOrder(o);
  const due = o.status === "in_progress" ? _("step {done} of {total}", o.steps) : o.status === "on_hold" ? _("on hold") : o.due_at ? _("due {time}", { time: moment(o.due_at, now()) }) : "";
  return h(
    "a",
    { class: `card task${loud ? " is-critical" : ""}`, href: `/work/${o.number}` },
    loud || o.status === "in_progress" ? h("p", { class: "line" }, priorityMark(o.priority), h("span", {}, due)) : null,
    h("p", { class: "title" }, o.title),
    h("p", { class: "line" }, h("span", {}, icon("pin"), " ", code(o.asset.code), ` ${o.asset.name}`, loud ? ` · ${o.asset.area}` : ""), loud || o.status === "in_progress" ? null : h("span", {}, [due, o.est_min && _("{n} min", { n: o.est_min })].filter(Boolean).join(" · "))),
    o.status === "completed" && h("p", { class: "row strong proof" }, icon("seal"), o.proof?.state === "decision" ? _("Decision needed") : _("The signal is judging it")),
    tag && o.status !== "completed" && livePart(tag),
  );
}

/** @param {import("./tags.js").Tag} tag */
function livePart(tag) {
  const figure = h("span", { class: "value" }, "—");
  const old = h("span", { class: "quiet" });
  const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "spark", "aria-hidden": "true" }));
  const spark = new Spark(tag, canvas);
  spark.load(now()).catch(() => {}); // history away: the line starts now
  live.push({ tag, spark, figure, age: old });
  return h("div", { class: "live-part" }, h("p", {}, figure, " ", code(tag.unit, "unit"), " ", old), canvas);
}

function show() {
  live = [];
  const mine = [...orders.values()].filter((o) => o.assigned_to?.id === me && !["verified", "cancelled"].includes(o.status));
  /** @type {[string, string][]} */
  const groups = [["now", _("Now")], ["today", _("Today")], ["later", _("Later")], ["proof", _("Being proved")]];
  const parts = groups.flatMap(([key, word]) => {
    const list = mine.filter((o) => groupOf(o) === key).sort(byUrgency);
    return list.length ? [h("h2", { class: "group" }, word, " ", h("span", { class: "quiet" }, String(list.length))), ...list.map(cardOf)] : [];
  });
  fill(byId("mine"), parts.length ? parts : empty(_("Nothing is assigned to you. New work appears here by itself.")));
  const names = live.map((one) => one.tag.name);
  if (names.join() !== subscribed) {
    subscribed = names.join();
    subscribe(names.length ? { tags: names } : { overview: true });
  }
  tick(now());
}
let subscribed = "-";

/** @param {number} nowMs */
function tick(nowMs) {
  for (const one of live) {
    const judged = judge(one.tag, value(one.tag.name), nowMs);
    setText(one.figure, judged.text);
    one.figure.className = `value ${judged.freshness === "fresh" ? HUE[judged.hue] : "is-stale"}`;
    setText(one.age, Number.isNaN(judged.ageMs) ? "" : judged.freshness === "fresh" ? age(judged.ageMs) : `${_("Stale")} ${duration(judged.ageMs)}`);
    one.spark.draw(nowMs, judged.freshness !== "fresh");
  }
}

on("values", (names) => {
  for (const one of live) {
    const sample = names.has(one.tag.name) ? value(one.tag.name) : undefined;
    if (sample) one.spark.add(sample.t, sample.q === 2 ? null : sample.v);
  }
});
on("fact", (fact) => {
  if (!fact.name.startsWith("work_order.")) return;
  show();
  if (fact.name === "work_order.assigned" && fact.data.assigned_to?.id === me) toast(_("New: {title}, {code}", { title: fact.data.title, code: fact.data.asset.code }));
});
on("reset", () => start().catch(() => {}));
everyTick(tick);

const file = /** @type {HTMLInputElement} */ (byId("scan-file"));
byId("scan").addEventListener("click", () => file.click());
file.addEventListener("change", async () => {
  const path = file.files?.[0] && (await readCode(file.files[0]));
  file.value = "";
  if (path) location.assign(path);
  else toast(_("No code of this plant in that picture. Hold the camera closer and try again."));
});

async function start() {
  const [answer] = await Promise.all([get("/api/work-orders?assigned_to=me&status=active&limit=100"), load("assets")]);
  for (const order of answer.items) orders.set(order.id, order);
  show();
}
start().catch((error) => toast(error.message));
