// @ts-check
// Puts the client together: who the device acts for, which screen is shown, what the socket says. Screens are in screens/.

import { endSession, fetchChanges, fetchTask, fetchTasks, session } from "./feed.js";
import { speak, tickFrame } from "./frame.js";
import { installKeys } from "./keys.js";
import { Live } from "./live.js";
import { Outbox } from "./outbox.js";
import { isActive, Store } from "./store.js";
import { endCard } from "./screens/ending.js";
import { pairScreen } from "./screens/pair.js";
import { safetySheet } from "./screens/safety.js";
import { stepCard } from "./screens/step.js";
import { messageScreen, taskList } from "./screens/tasks.js";
import { currentStep, END } from "./path.js";
import { finishScreen } from "./screens/finish.js";
import { heldScreen } from "./screens/problem.js";
import { t } from "./words.js";

const TICK_MS = 250;

export class App {
  constructor() {
    this.store = new Store();
    this.by = "touch";
    /** @type {Live | null} */
    this.live = null;
    /** @type {{tick?: () => void, onLive?: (frame: any) => void, leave?: () => void, onTask?: (task: any) => void} | null} */
    this.screen = null;
    this.task = null; // the open one, with its steps
    this.outbox = new Outbox(() => this.tick(), () => this.tokenEnded());
    installKeys(/** @type {HTMLElement} */ (document.getElementById("screen")), (by) => (this.by = by));
    setInterval(() => this.tick(), TICK_MS);
  }

  start() {
    if (!session()) {
      this.open(pairScreen(this));
      return;
    }
    this.live?.close();
    this.live = new Live(session().token, {
      onTasks: (delta) => this.onTasks(delta),
      onLive: (frame) => this.screen?.onLive?.(frame),
      onAlarm: (alarm) => alarm.state === "raised" && speak(t("alarm", { asset: alarm.asset.code ?? "", text: alarm.t })),
      onConnect: () => this.catchUp(),
      onRefused: () => this.tokenEnded(),
    });
    this.openTasks();
    this.outbox.flush();
  }

  /** @param {NonNullable<App["screen"]>} screen shown already by its maker */
  open(screen) {
    this.screen?.leave?.();
    this.screen = screen;
    this.tick();
  }

  tick() {
    const lost = this.live ? this.live.isLost() : false;
    tickFrame({ lost, silence: this.live?.silence() ?? null, unsent: this.outbox.unsent(), attention: this.outbox.attention().length });
    this.screen?.tick?.();
  }

  /** After a connect: what changed meanwhile, or everything when the cursor is too old. */
  async catchUp() {
    try {
      if (this.store.cursor) this.onTasks(await fetchChanges(this.store.cursor));
      else this.replace(await fetchTasks());
    } catch (error) {
      if (error.status === 410) this.replace(await fetchTasks());
      else if (error.status === 401) this.tokenEnded();
    }
    this.outbox.flush();
  }

  replace(list) {
    this.store.replace(list);
    this.screen?.onTask?.(null);
  }

  onTasks(delta) {
    const [fresh] = this.store.merge(delta);
    if (fresh) speak(t("new_task", { title: fresh.title }));
    const open = this.task && delta.tasks.find((task) => task.id === this.task.id);
    if (open) Object.assign(this.task, open);
    if (this.task && delta.gone.includes(this.task.id)) this.openMessage(t("gone"));
    else if (open?.state === "cancelled") this.openMessage(t("cancelled"));
    else this.screen?.onTask?.(open ?? null);
  }

  openMessage(text) {
    this.task = null;
    this.live?.watch(null);
    this.open(messageScreen(this, text));
  }

  openTasks(page = 0) {
    this.task = null;
    this.live?.watch(null);
    this.open(taskList(this, page));
  }

  /** Open a task where it stands. */
  async openTask(id) {
    try {
      this.store.keepDetail(await fetchTask(id));
    } catch (error) {
      if (error.status === 404) this.store.tasks.delete(id);
      if (error.status === 401) return this.tokenEnded();
    }
    const task = this.store.details.get(id);
    if (!task) return this.openMessage(t("lost"));
    this.task = task;
    this.live?.watch(id);
    this.resume();
  }

  /** The screen that fits the open task's state. */
  resume() {
    const task = this.task;
    if (!isActive(task)) this.open(endCard(this, task));
    else if (task.state === "paused" || task.state === "blocked") this.open(heldScreen(this, task));
    else if (task.state === "assigned") this.open(safetySheet(this, task));
    else this.openStep(currentStep(task));
  }

  openStep(id) {
    if (id === END || id === null) this.open(finishScreen(this, this.task));
    else this.open(stepCard(this, this.task, id));
  }

  /**
   * Send an operation on the open task; refused ones are said, kept ones go on.
   * @returns {Promise<{state: string, result?: any, problem?: any}>}
   */
  async act(fields) {
    const outcome = await this.outbox.send({ task: this.task.id, by: this.by, ...fields });
    if (outcome.state === "refused") speak(t("refused", { reason: outcome.problem?.detail ?? "" }));
    if (outcome.state === "kept") speak(t("kept"));
    return outcome;
  }

  tokenEnded() {
    if (!session()) return;
    endSession();
    this.live?.close();
    this.live = null;
    this.task = null;
    this.open(pairScreen(this, t("pair_ended")));
  }
}

new App().start();
