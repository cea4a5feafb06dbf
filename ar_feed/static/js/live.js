// @ts-check
// The only file that knows Socket.IO: the feed's events, live values of one task, and whether the link is alive.

import { io } from "socket.io";

const SILENT_MS = 2500; // the server pings every second
const RETRY_MS = 2000;

/**
 * @typedef {{onTasks: (delta: any) => void, onLive: (frame: any) => void, onAlarm: (alarm: any) => void,
 *            onConnect: () => void, onRefused: () => void}} Listener
 */

export class Live {
  /** @param {string} token @param {Listener} listener */
  constructor(token, listener) {
    this.task = null;
    this.retry = 0;
    this.heardAt = performance.now();
    this.socket = io({ auth: { token, feed: "ar" }, transports: ["websocket", "polling"], reconnectionDelay: 300, reconnectionDelayMax: 3000 });
    this.socket.on("connect", () => {
      this.#heard();
      this.socket.io.engine.on("packet", () => this.#heard());
      this.#subscribe();
      listener.onConnect();
    });
    this.socket.on("connect_error", (error) => {
      if (error.message === "unauthorized") listener.onRefused();
    });
    this.socket.on("disconnect", (reason) => {
      if (reason === "io server disconnect") this.socket.connect(); // refused there when the token has ended
    });
    this.socket.on("ar.task", listener.onTasks);
    this.socket.on("ar.live", listener.onLive);
    this.socket.on("ar.alarm", listener.onAlarm);
  }

  #heard() {
    this.heardAt = performance.now();
  }

  /** Seconds since the server was last heard. */
  silence() {
    return (performance.now() - this.heardAt) / 1000;
  }

  /** True when nothing was heard for so long that the link must be down. */
  isLost() {
    return !this.socket.connected || this.silence() * 1000 > SILENT_MS;
  }

  /** Live values of this task from now on; null for none. */
  watch(task) {
    this.task = task;
    this.#subscribe();
  }

  #subscribe() {
    const task = this.task;
    clearTimeout(this.retry);
    if (!this.socket.connected || task === null) return;
    this.socket.emit("subscribe", { task }, (answer) => {
      // refused, or the plant's tags are not known there yet
      if (task === this.task && !Object.keys(answer.tags ?? {}).length) this.retry = setTimeout(() => this.#subscribe(), RETRY_MS);
    });
  }

  close() {
    this.socket.close();
  }
}
