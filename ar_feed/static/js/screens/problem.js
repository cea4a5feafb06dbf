// @ts-check
// Reporting a problem by choosing, not by dictating; and the screen of a task that is held.

import { el } from "../dom.js";
import { show, warningBand } from "../frame.js";
import { say, t } from "../words.js";

const REASONS = ["problem_part", "problem_access", "problem_unsafe", "problem_other"];

/** @param {any} app @param {any} task @param {() => void} back @param {string} [step] */
export function problemScreen(app, task, back, step) {
  let remark = "";

  function draw() {
    const rows = REASONS.map((reason, i) =>
      el("li", {}, el("button", { type: "button", class: "row", "data-key": i + 1, onclick: () => report(t(reason)) }, el("span", { class: "n" }, String(i + 1)), el("span", { class: "t" }, t(reason)))),
    );
    show({
      title: t("problem_title"),
      sub: `${task.asset.code} ${task.asset.name}`,
      ruled: true,
      content: [el("ul", { class: "rows" }, ...rows), remark ? el("p", { class: "remark strong" }, remark) : null].filter((node) => node !== null),
      commands: [
        { say: say.pause, act: pause, disabled: task.state !== "in_progress" },
        { say: say.back, act: back, back: true },
      ],
      focus: ".row",
    });
  }

  async function report(note) {
    await held(await app.act({ k: "problem", note, step }), "blocked");
  }

  async function pause() {
    await held(await app.act({ k: "pause" }), "paused");
  }

  async function held(outcome, state) {
    if (outcome.state === "refused") {
      remark = t("refused", { reason: outcome.problem?.detail ?? "" });
      draw();
      return;
    }
    task.state = state;
    app.open(heldScreen(app, task));
  }

  draw();
  return {};
}

/** A paused or blocked task. @param {any} app @param {any} task */
export function heldScreen(app, task) {
  let remark = "";

  function draw() {
    show({
      band: warningBand("", t(task.state === "blocked" ? "blocked_now" : "paused_now")),
      content: [el("p", { class: "message" }, `${task.asset.code} ${task.asset.name}: ${task.title}`), remark ? el("p", { class: "remark strong" }, remark) : null].filter((node) => node !== null),
      commands: [
        { say: "RESUME WORK", act: resume, main: true },
        { say: "SHOW TASKS", act: () => app.openTasks(), back: true },
      ],
    });
  }

  async function resume() {
    const outcome = await app.act({ k: "resume" });
    if (outcome.state === "refused") {
      remark = t("refused", { reason: outcome.problem?.detail ?? "" });
      draw();
      return;
    }
    task.state = "in_progress";
    app.resume();
  }

  draw();
  return { onTask: () => task.state === "in_progress" && app.resume() };
}
