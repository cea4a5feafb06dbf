// @ts-check
// Operations on their way to the server: kept on the device until answered, sent in order, each with its key.

import { FeedError, sendOperations, session } from "./feed.js";

const STORE = "sightline.outbox";
const FAILED = "sightline.attention";
const BATCH = 50;
const RETRY = new Set([0, 401, 408, 425, 429]);
const WAIT_FOR_ANSWER_MS = 3000;

/** A UUID also where crypto.randomUUID is missing (plain HTTP). */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const read = (name) => JSON.parse(localStorage.getItem(name) ?? "[]");
const write = (name, rows) => localStorage.setItem(name, JSON.stringify(rows));

export class Outbox {
  /** @param {() => void} onChange called when counts change, @param {() => void} onRefused when the token has ended */
  constructor(onChange, onRefused) {
    this.onChange = onChange;
    this.onRefused = onRefused;
    this.waiting = new Map();
    this.backoffS = 1;
    this.timer = 0;
    this.flushing = false;
    addEventListener("online", () => this.flush());
    document.addEventListener("visibilitychange", () => this.flush());
  }

  /** Operations not yet answered. */
  unsent() {
    return read(STORE).length;
  }

  /** Operations that the server refused for good; a person has to look at them. */
  attention() {
    return read(FAILED);
  }

  dropAttention() {
    write(FAILED, []);
    this.onChange();
  }

  /**
   * Keep an operation and send it: {state: "done", result} | {state: "refused", problem} | {state: "kept"} when there is no answer soon.
   * @param {Record<string, any>} fields
   * @returns {Promise<{state: string, result?: any, problem?: any}>}
   */
  send(fields) {
    const op = { key: uuid(), at: new Date().toISOString(), by: "touch", ...fields };
    write(STORE, [...read(STORE), { user: session()?.user?.id, op }]);
    this.onChange();
    const answer = new Promise((resolve) => {
      this.waiting.set(op.key, resolve);
      setTimeout(() => this.#answer(op.key, { state: "kept" }), WAIT_FOR_ANSWER_MS);
    });
    this.flush();
    return answer;
  }

  #answer(key, outcome) {
    this.waiting.get(key)?.(outcome);
    this.waiting.delete(key);
  }

  /** Send what waits; comes back by itself after a failure. */
  async flush() {
    const mine = read(STORE).filter((row) => row.user === session()?.user?.id).slice(0, BATCH);
    if (this.flushing || !mine.length || !session()) return;
    this.flushing = true;
    clearTimeout(this.timer);
    try {
      const { results } = await sendOperations(mine.map((row) => row.op));
      this.backoffS = 1;
      results.forEach((result, i) => this.#settle(mine[i].op, result));
    } catch (error) {
      this.#failed(mine, error);
    } finally {
      this.flushing = false;
    }
    this.onChange();
    if (this.backoffS === 1) this.flush();
  }

  #settle(op, result) {
    write(STORE, read(STORE).filter((row) => row.op.key !== op.key));
    if (result.status < 400) {
      this.#answer(op.key, { state: "done", result });
      return;
    }
    const shown = this.waiting.has(op.key);
    this.#answer(op.key, { state: "refused", problem: result.problem });
    if (!shown) write(FAILED, [...read(FAILED), { op, problem: result.problem }].slice(-100));
  }

  #failed(mine, error) {
    const status = error instanceof FeedError ? error.status : 0;
    if (!RETRY.has(status) && status < 500) {
      mine.forEach((row) => this.#settle(row.op, { status, problem: error.problem }));
      return;
    }
    mine.forEach((row) => this.#answer(row.op.key, { state: "kept" }));
    if (status === 401) {
      this.onRefused();
      return;
    }
    const waitS = Math.max(error.retryAfterS ?? 0, this.backoffS * (0.8 + 0.4 * Math.random()));
    this.backoffS = Math.min(60, this.backoffS * 2);
    this.timer = setTimeout(() => this.flush(), waitS * 1000);
  }
}
