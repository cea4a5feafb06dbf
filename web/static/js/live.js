// @ts-check
// The only module that knows Socket.IO: connects, subscribes, resumes facts, keeps newest values and the state of the link.
import { io } from "socket.io";
import { get } from "./api.js";
import { now } from "./now.js";
import { unpack } from "./unpack.js";

/**
 * @typedef {{t: number, v: number | null, q: number, good?: {t: number, v: number}}} Value newest sample; `good` = last good one
 * @typedef {{seq: number, at: string, name: string, id: number, rev: number, by: string, data: any}} Fact
 * @typedef {"waiting" | "live" | "lost"} Link
 */

const SILENT_MS = 2500; // the server pings every second: 2.5 s without a packet is a dead link
const FACTS = [
  "alert.raised", "alert.acknowledged", "alert.returned", "alert.shelved", "alert.suppressed", "alert.resolved", "alert.changed",
  "work_order.opened", "work_order.assigned", "work_order.changed", "work_order.completed", "work_order.verified",
  "work_order.reopened", "notification.created", "asset.state_changed", "source.lost", "source.recovered", "config.changed",
];

/** @type {Map<string, Value>} */
const values = new Map();
/** @type {Map<number, string>} */
const names = new Map();
/** @type {Set<string>} */
const changed = new Set();
/** @type {{values: Set<(names: Set<string>) => void>, fact: Set<(fact: Fact) => void>, link: Set<(link: Link) => void>, reset: Set<() => void>, frame: Set<(meta: any, data: ArrayBuffer) => void>}} */
const listeners = { values: new Set(), fact: new Set(), link: new Set(), reset: new Set(), frame: new Set() };

let lastPacket = performance.now();
let lastSeq = 0;
let newest = 0;
let answered = false;
/** @type {any} */
let wanted = null;
/** @type {Link} */
let link = "waiting";
let lostSince = 0;
let drawing = false;

const socket = io({ transports: ["websocket"], reconnectionDelay: 500, reconnectionDelayMax: 4000, timeout: 4000 });

socket.on("connect", () => {
  lastPacket = performance.now();
  socket.io.engine.on("packet", () => (lastPacket = performance.now()));
  setLink("live");
  if (wanted) sendSubscription();
  socket.emit("resume", lastSeq ? { since: lastSeq } : {}, takeResumed);
});
socket.on("disconnect", (reason) => {
  setLink("lost");
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000); // the client does not retry a cut by itself
});
socket.on("connect_error", () => {
  setLink("lost");
  if (!socket.active) get("/api/auth/me").then(() => setTimeout(() => socket.connect(), 4000), () => {}); // refused: 401 leads to the sign-in page
});
socket.on("reading.batch", takeBatch);
socket.on("frame.taken", async (meta, data) => tell("frame", meta, meta.packed ? await unpack(meta, data) : data));
for (const name of FACTS) socket.on(name, takeFact);

setInterval(() => {
  const silent = performance.now() - lastPacket > SILENT_MS;
  if (link === "live" && silent) setLink("lost");
  else if (link === "lost" && socket.connected && !silent) setLink("live");
  if (silent && socket.connected && performance.now() - lastPacket > 3 * SILENT_MS) socket.io.engine.close();
}, 250);

/** @param {any} answer */
function takeResumed(answer) {
  if (!answer) return;
  if (answer.reset) {
    lastSeq = answer.seq || 0;
    tell("reset");
    return;
  }
  for (const fact of answer.facts || []) takeFact(fact);
  if (answer.seq) lastSeq = Math.max(lastSeq, answer.seq);
}

/** @param {Fact} fact */
function takeFact(fact) {
  if (fact.seq <= lastSeq) return;
  lastSeq = fact.seq;
  tell("fact", fact);
}

function sendSubscription() {
  socket.emit("subscribe", wanted, (/** @type {any} */ answer) => {
    if (!answer?.ok) return;
    answered = true;
    for (const [id, tag] of Object.entries(answer.tags)) names.set(Number(id), /** @type {any} */ (tag).tag);
    if (answer.snapshot?.id) takeBatch(answer.snapshot);
    if (answer.snapshot?.good) takeGood(answer.snapshot.good);
  });
}

/** What tags that are bad now last showed: a page opened while a source is lost knows it too. @param {{id: number[], t: number[], v: number[]}} last */
function takeGood(last) {
  for (let i = 0; i < last.id.length; i += 1) {
    const name = names.get(last.id[i]);
    const sample = name && values.get(name);
    if (!sample || sample.good) continue;
    values.set(name, { ...sample, good: { t: last.t[i], v: last.v[i] } });
    newest = Math.max(newest, last.t[i]);
    changed.add(name);
  }
}

/** @param {{id: number[], t: number[], v: (number | null)[], q?: number[]}} batch */
function takeBatch(batch) {
  for (let i = 0; i < batch.id.length; i += 1) {
    const name = names.get(batch.id[i]);
    if (name) take(name, batch.t[i], batch.v[i], batch.q ? batch.q[i] & 3 : 0);
  }
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(draw);
  }
}

/** @param {string} name @param {number} t @param {number | null} v @param {number} q */
function take(name, t, v, q) {
  const before = values.get(name);
  if (before && before.t > t) return; // the snapshot of a subscription may be older than a batch
  const isGood = q < 2 && v !== null;
  values.set(name, { t, v, q, good: isGood ? { t, v: /** @type {number} */ (v) } : before?.good });
  if (isGood) newest = Math.max(newest, t);
  changed.add(name);
}

function draw() {
  drawing = false;
  const names_ = new Set(changed);
  changed.clear();
  tell("values", names_);
}

/** @param {Link} next */
function setLink(next) {
  if (link === next) return;
  link = next;
  lostSince = next === "lost" ? now() : 0;
  tell("link", next);
}

/** @param {keyof typeof listeners} kind @param {...any} args */
function tell(kind, ...args) {
  for (const listener of listeners[kind]) /** @type {any} */ (listener)(...args);
}

/** What this page shows; replaces the former wish, also after every reconnect. @param {any} request */
export function subscribe(request) {
  wanted = request;
  if (socket.connected) sendSubscription();
}

/** For pages that show no value: the age of the data is still true. */
export function subscribeByDefault() {
  if (!wanted) subscribe({ overview: true });
}

/** Newest sample of a tag. @param {string} name @returns {Value | undefined} */
export const value = (name) => values.get(name);
/** @returns {Link} */
export const linkState = () => link;
/** ms since the link was lost; 0 while it is not. */
export const lostFor = () => (lostSince ? now() - lostSince : 0);
/** Whether the server has said what it knows of the tags asked for. */
export const isAnswered = () => answered;
/** Source time of the newest good sample, 0 before the first. */
export const newestAt = () => newest;

/**
 * @template {keyof typeof listeners} K
 * @param {K} kind
 * @param {(typeof listeners)[K] extends Set<infer F> ? F : never} listener
 */
export function on(kind, listener) {
  /** @type {Set<any>} */ (listeners[kind]).add(listener);
}
