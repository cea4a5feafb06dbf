// @ts-check
// What this page knows of the plant: assets, open alerts and orders, loaded by REST and kept true by facts.
import { get } from "./api.js";
import { linkState, on } from "./live.js";
import { _, language } from "./words.js";

/** @typedef {any} Asset @typedef {any} Alert @typedef {any} Order */

/** @type {Map<number, Asset>} */
export const assets = new Map();
/** @type {Map<number, Alert>} */
export const alerts = new Map();
/** @type {Map<number, Order>} */
export const orders = new Map();

/** @type {Set<(fact: import("./live.js").Fact | null) => void>} */
const listeners = new Set();
/** @type {Map<string, Promise<void>>} */
const loading = new Map();

const WHAT = {
  assets: { path: "/api/assets?limit=500", into: assets },
  alerts: { path: "/api/alerts?active=true&limit=500", into: alerts },
  orders: { path: "/api/work-orders?limit=500", into: orders },
};

/** @type {Set<any[]>} facts that come while a list is on its way: the list may be older than they are */
const underway = new Set();
let missed = false; // a list came before the link: facts between the two told nobody

/** @param {keyof typeof WHAT} kind */
async function fetchAll(kind) {
  const { path, into } = WHAT[kind];
  /** @type {any[]} */
  const meanwhile = [];
  underway.add(meanwhile);
  try {
    const answer = await get(path);
    into.clear();
    for (const item of answer.items) into.set(item.id, worded(item));
    for (const fact of meanwhile) apply(fact);
    missed ||= linkState() !== "live";
  } finally {
    underway.delete(meanwhile);
  }
}

/** Load once a page; later calls wait for the same answer. @param {...keyof typeof WHAT} kinds */
export async function load(...kinds) {
  for (const kind of kinds) if (!loading.has(kind)) loading.set(kind, fetchAll(kind));
  try {
    await Promise.all(kinds.map((kind) => loading.get(kind)));
  } catch (error) {
    for (const kind of kinds) loading.delete(kind);
    throw error;
  }
}

/** Called after every fact that changed something here, with null after a whole reload. @param {(fact: import("./live.js").Fact | null) => void} listener */
export function onChange(listener) {
  listeners.add(listener);
}

/** A machine's fault in the reader's language, where its fault-code table has that; anything else as it came. @param {any} body */
function worded(body) {
  const text = body.type === "machine_fault" && language !== "en" && body.data?.texts?.[language];
  return text ? { ...body, title: _("Fault {code}: {text}", { code: body.code, text }) } : body;
}

/** @param {Map<number, any>} into @param {any} body */
function put(into, body) {
  const before = into.get(body.id);
  if (before && before.rev > body.rev) return;
  into.set(body.id, worded(before ? { ...before, ...body } : body));
}

/** @param {import("./live.js").Fact} fact */
function apply(fact) {
  const [kind] = fact.name.split(".");
  if (kind === "alert") {
    put(alerts, fact.data);
    if (fact.name === "alert.resolved" || fact.data.suppressed) alerts.delete(fact.id);
  } else if (kind === "work_order") {
    put(orders, fact.data);
  } else if (kind === "asset") {
    put(assets, fact.data);
  }
}

on("fact", (fact) => {
  for (const meanwhile of underway) meanwhile.push(fact);
  apply(fact);
  for (const listener of listeners) listener(fact);
});

async function reload() {
  missed = false;
  await Promise.all([...loading.keys()].map((kind) => fetchAll(/** @type {keyof typeof WHAT} */ (kind))));
  for (const listener of listeners) listener(null);
}
on("reset", reload);
on("link", (link) => {
  if (link === "live" && missed) reload().catch(() => {}); // the next reset asks again
});

/** Take a body that an act answered with, before its fact arrives. @param {"alert" | "order" | "asset"} kind @param {any} body */
export function take(kind, body) {
  put({ alert: alerts, order: orders, asset: assets }[kind], body);
  if (kind === "alert" && body.resolved_at) alerts.delete(body.id);
  for (const listener of listeners) listener(null);
}

const RANK = { critical: 3, warning: 2, advisory: 1 };

/** Loudest first: active before returned, unacknowledged before acknowledged, severity, then the newest. @param {Alert} a @param {Alert} b */
export function louder(a, b) {
  const weigh = (/** @type {Alert} */ alert) =>
    (alert.condition === "active" ? 100 : 0) + (alert.acknowledged ? 0 : 10) + RANK[/** @type {keyof typeof RANK} */ (alert.severity)];
  return weigh(b) - weigh(a) || Date.parse(b.raised_at) - Date.parse(a.raised_at);
}

/** Alerts that ask for a person now: not shelved, not suppressed, not on the watch list. */
export function loud() {
  return [...alerts.values()].filter((alert) => !alert.watch && !alert.suppressed && !isShelved(alert)).sort(louder);
}

/** @param {Alert} alert */
export const isShelved = (alert) => Boolean(alert.shelved_until) && Date.parse(alert.shelved_until) > Date.now();

/** Whether an alert is about an asset; a lost source that feeds several has no asset and names them all. @param {Alert} alert @param {number} assetId */
export const concerns = (alert, assetId) => (alert.asset ? alert.asset.id === assetId : (alert.data?.assets || []).includes(assetId));

/** The order of an asset that is not closed yet, newest first. @param {number} assetId */
export function openOrder(assetId) {
  const open = [...orders.values()].filter((order) => order.asset?.id === assetId && !["verified", "cancelled"].includes(order.status));
  return open.sort((a, b) => b.id - a.id)[0];
}
