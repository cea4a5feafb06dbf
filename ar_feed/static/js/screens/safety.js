// @ts-check
// Screen 3: every danger confirmed, one at a time; nothing else can be started from here.

import { el, icon } from "../dom.js";
import { show, warningBand } from "../frame.js";
import { say, t } from "../words.js";
import { problemScreen } from "./problem.js";

const SHOWN = 3;

/** @param {any} app @param {any} task */
export function safetySheet(app, task) {
  let remark = task.reopened ? t("reopened", { reason: task.reopened }) : "";
  let sending = false;

  function draw() {
    const done = app.store.confirmed(task.id);
    const at = task.safety.findIndex((danger) => !done.includes(danger.id));
    const ready = at < 0;
    const from = Math.max(0, Math.min((ready ? task.safety.length : at) - 1, task.safety.length - SHOWN));
    const rows = task.safety.slice(from, from + SHOWN).map((danger) => row(danger, done.includes(danger.id), task.safety.indexOf(danger) === at));
    const count = t("of", { n: Math.min(ready ? task.safety.length : at + 1, task.safety.length), count: task.safety.length });
    show({
      band: warningBand(ready ? "" : t("danger"), ready ? t("all_confirmed") : t("confirm_each"), task.safety.length ? count : ""),
      content: [
        rows.length ? el("ul", { class: "rows dangers" }, ...rows) : el("p", { class: "message" }, t("no_dangers")),
        remark ? el("p", { class: "remark strong" }, remark) : null,
      ].filter((node) => node !== null),
      commands: [
        ready ? { say: sending ? t("sending") : "START TASK", act: start, main: true, disabled: sending } : { say: "CONFIRM DANGER", act: () => confirm(task.safety[at].id), main: true },
        { say: say.problem, act: () => app.open(problemScreen(app, task, () => app.open(safetySheet(app, task)))) },
        { say: say.back, act: () => app.openTasks(), back: true },
      ],
    });
  }

  function confirm(id) {
    app.store.confirm(task.id, id);
    draw();
  }

  async function start() {
    sending = true;
    draw();
    const outcome = await app.act({ k: "start" });
    sending = false;
    if (outcome.state === "refused") {
      remark = t("refused", { reason: outcome.problem?.detail ?? "" });
      draw();
      return;
    }
    task.state = "in_progress";
    await app.openTask(task.id);
    if (app.task?.state === "assigned") {
      app.task.state = "in_progress"; // kept here: the server does not know yet
      app.resume();
    }
  }

  draw();
  return {};
}

function row(danger, done, current) {
  const state = done
    ? el("span", { class: "state strong" }, icon("tick"), t("confirmed"))
    : el("span", { class: current ? "state strong" : "state" }, t(current ? "confirm" : "waiting"));
  return el(
    "li",
    { class: current ? "row current" : "row", "aria-current": current ? "step" : null },
    el("span", { class: "icon" }, icon(danger.icon ?? "triangle")),
    el("span", {}, el("span", { class: "t" }, danger.t), danger.b ? el("span", { class: "b" }, danger.b) : null),
    state,
  );
}
