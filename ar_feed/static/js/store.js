// @ts-check
// What the client knows: the tasks, the cursor and what was confirmed; kept over a restart so that it opens without a server.

const STORE = "sightline.tasks";
const CONFIRMED = "sightline.confirmed";

export class Store {
  constructor() {
    const kept = JSON.parse(localStorage.getItem(STORE) ?? "null") ?? {};
    this.cursor = kept.cursor ?? null;
    /** @type {Map<number, any>} */
    this.tasks = new Map((kept.tasks ?? []).map((task) => [task.id, task]));
    /** @type {Map<number, any>} */
    this.details = new Map((kept.details ?? []).map((task) => [task.id, task]));
  }

  #keep() {
    const kept = { cursor: this.cursor, tasks: [...this.tasks.values()], details: [...this.details.values()] };
    localStorage.setItem(STORE, JSON.stringify(kept));
  }

  clear() {
    this.cursor = null;
    this.tasks.clear();
    this.details.clear();
    localStorage.removeItem(CONFIRMED);
    this.#keep();
  }

  /** The whole list. */
  replace(list) {
    this.cursor = list.cursor;
    this.tasks = new Map(list.tasks.map((task) => [task.id, task]));
    for (const id of [...this.details.keys()]) if (!this.tasks.has(id)) this.details.delete(id);
    this.#keep();
  }

  /** What changed; answers the tasks that are new to this person. */
  merge(delta) {
    this.cursor = delta.cursor ?? this.cursor;
    const fresh = delta.tasks.filter((task) => !this.tasks.has(task.id) && isActive(task));
    for (const task of delta.tasks) if ((this.tasks.get(task.id)?.rev ?? 0) <= task.rev) this.tasks.set(task.id, { ...this.tasks.get(task.id), ...task });
    for (const id of delta.gone) this.tasks.delete(id);
    this.#keep();
    return fresh;
  }

  keepDetail(task) {
    this.details.set(task.id, task);
    this.tasks.set(task.id, { ...this.tasks.get(task.id), ...task, steps: undefined });
    this.#keep();
  }

  /** Active tasks, most urgent first, then by when they are due. */
  active() {
    const due = (task) => (task.due ? Date.parse(task.due) : Infinity);
    return [...this.tasks.values()].filter(isActive).sort((a, b) => a.pri - b.pri || due(a) - due(b) || a.id - b.id);
  }

  confirmed(id) {
    return JSON.parse(localStorage.getItem(CONFIRMED) ?? "{}")[id] ?? [];
  }

  confirm(id, danger) {
    const all = JSON.parse(localStorage.getItem(CONFIRMED) ?? "{}");
    localStorage.setItem(CONFIRMED, JSON.stringify({ ...all, [id]: [...(all[id] ?? []), danger] }));
  }

  forgetConfirmed(id) {
    const all = JSON.parse(localStorage.getItem(CONFIRMED) ?? "{}");
    delete all[id];
    localStorage.setItem(CONFIRMED, JSON.stringify(all));
  }
}

export function isActive(task) {
  return task.state !== "done" && task.state !== "cancelled";
}
