// @ts-check
// All steps are done: one choice closes the task; what was recorded becomes the completion note.

import { el } from "../dom.js";
import { show } from "../frame.js";
import { stepBefore, END } from "../path.js";
import { say, t } from "../words.js";
import { problemScreen } from "./problem.js";

const VERDICTS = [
  ["confirmed", "FAULT CONFIRMED"],
  ["something_else", "SOMETHING ELSE"],
  ["false", "FALSE ALARM"],
];

/** @param {any} app @param {any} task */
export function finishScreen(app, task) {
  let remark = "";
  let sending = false;

  function draw() {
    const rows = VERDICTS.map(([verdict, words], i) =>
      el("li", {}, el("button", { type: "button", class: "row", "data-key": i + 1, disabled: sending, onclick: () => finish(verdict) }, el("span", { class: "n" }, String(i + 1)), el("span", { class: "t" }, words))),
    );
    const asks = el("p", { class: "say" }, t(task.verdict ? "finish_verdict" : "finish_plain"));
    show({
      title: t(task.steps.length ? "finish_title" : "no_steps"),
      sub: `${task.asset.code} ${task.asset.name}`,
      ruled: true,
      content: [asks, task.verdict ? el("ul", { class: "rows tight" }, ...rows) : null, remark ? el("p", { class: "remark strong" }, remark) : null].filter((node) => node !== null),
      commands: [
        ...(task.verdict ? [] : [{ say: sending ? t("sending") : "FINISH TASK", act: () => finish(), main: true, disabled: sending }]),
        { say: say.problem, act: () => app.open(problemScreen(app, task, () => app.open(finishScreen(app, task)))) },
        { say: say.back, act: back, back: true },
      ],
      focus: task.verdict ? ".row" : "",
    });
  }

  function back() {
    const before = stepBefore(task, END);
    if (before) app.openStep(before);
    else app.openTasks();
  }

  async function finish(verdict) {
    sending = true;
    draw();
    const outcome = await app.act({ k: "finish", opt: verdict });
    sending = false;
    if (outcome.state === "refused") {
      remark = t("refused", { reason: outcome.problem?.detail ?? "" });
      draw();
      return;
    }
    app.store.forgetConfirmed(task.id);
    task.state = "done";
    await app.openTask(task.id);
  }

  draw();
  return {};
}
