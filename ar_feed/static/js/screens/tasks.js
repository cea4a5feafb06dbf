// @ts-check
// Screen 2: my tasks, at most four on a page, chosen by number, title or the main command.

import { el, icon } from "../dom.js";
import { show } from "../frame.js";
import { due, say, t } from "../words.js";
import { scanScreen } from "./entry.js";

const PAGE = 4;

/** @param {any} app @param {number} page */
export function taskList(app, page) {
  let chosen = 0;

  function draw(focus) {
    const all = app.store.active();
    const pages = Math.max(1, Math.ceil(all.length / PAGE));
    page = Math.min(page, pages - 1);
    const shown = all.slice(page * PAGE, page * PAGE + PAGE);
    chosen = Math.min(chosen, Math.max(0, shown.length - 1));
    show({
      title: t("my_tasks"),
      sub: all.length ? t("range_of", { first: page * PAGE + 1, last: page * PAGE + shown.length, count: all.length }) : "",
      ruled: true,
      content: [shown.length ? el("ul", { class: "rows" }, ...shown.map((task, i) => el("li", {}, row(task, i)))) : el("p", { class: "message" }, t("no_tasks"))],
      commands: [
        { say: "OPEN TASK", act: () => shown[chosen] && app.openTask(shown[chosen].id), main: true, disabled: !shown.length },
        { say: say.scan, act: () => app.open(scanScreen(app)) },
        { say: "NEXT PAGE", act: () => app.openTasks((page + 1) % pages), disabled: pages < 2 },
      ],
      focus,
    });
  }

  function row(task, i) {
    const choose = () => {
      chosen = i;
      document.querySelectorAll(".row").forEach((other, n) => other.classList.toggle("chosen", n === chosen));
    };
    return el(
      "button",
      { type: "button", class: i === chosen ? "row chosen" : "row", "data-key": i + 1, onfocus: choose, onclick: () => app.openTask(task.id) },
      el("span", { class: "n" }, String(i + 1)),
      el("span", {}, el("span", { class: "t" }, task.title), el("span", { class: "b" }, [`${task.asset.code} ${task.asset.name}`, task.why].filter(Boolean).join(" · "))),
      state(task),
    );
  }

  draw(".row");
  return { onTask: () => draw(`.row[data-key="${chosen + 1}"]`) };
}

function state(task) {
  if (task.state === "blocked" || task.state === "paused") return el("span", { class: "state strong" }, t(task.state));
  if (task.pri === 1) return el("span", { class: "state strong" }, icon("octagon"), t("urgent"));
  if (task.state === "in_progress") return el("span", { class: "state" }, t("in_work"));
  if (!task.due) return el("span", { class: "state" });
  const late = Date.parse(task.due) < Date.now();
  return el("span", { class: late ? "state strong" : "state" }, t(late ? "overdue" : "due", { time: due(task.due) }));
}

/** One sentence and the way back. @param {any} app @param {string} text */
export function messageScreen(app, text) {
  show({ title: t("my_tasks"), content: [el("p", { class: "message" }, text)], commands: [{ say: "SHOW TASKS", act: () => app.openTasks(), main: true, back: true }] });
  return {};
}
