// @ts-check
// Screen 4: one step: warning above the act, at most three lines, the live value, at most four commands.

import { el } from "../dom.js";
import { show, warningBand } from "../frame.js";
import { LiveBox } from "../livebox.js";
import { following, stepBefore, stepOf } from "../path.js";
import { number, say, t } from "../words.js";
import { commandsOf, optionRows } from "./acts.js";

const WARN = { danger: "danger" };

/** @param {any} app @param {any} task @param {string} id */
export function stepCard(app, task, id) {
  const step = stepOf(task, id);
  if (!step) return app.openTasks();
  const boxes = boxesOf(task, step);
  const state = { remark: "", sending: false, left: 0 };
  const card = {
    app,
    task,
    step,
    state,
    draw,
    answer,
    main: boxes.get(step.in?.tag) ?? null,
    reopen: () => app.open(stepCard(app, task, id)),
    back: () => goBack(app, task, id),
  };

  function draw(focus = "") {
    const rows = optionRows(card);
    show({
      band: step.warn ? warningBand(WARN[step.warn.sev] ? t("danger") : "", step.warn.t) : null,
      content: [
        el(
          "div",
          { class: "card" },
          el("div", {}, where(task, step), el("p", { class: "say" }, step.t), step.b ? el("p", { class: "hint" }, step.b) : null, part(step), state.left ? el("p", { class: "entered" }, t("seconds_left", { count: state.left })) : null),
          boxes.size ? el("div", { class: "others" }, ...[...boxes.values()].map((box) => box.node)) : null,
        ),
        rows,
        state.remark ? el("p", { class: "remark strong" }, state.remark) : null,
      ].filter((node) => node !== null),
      commands: commandsOf(card),
      focus: focus || (rows ? ".row" : ""),
    });
  }

  /** Send an answer and go where it leads. */
  async function answer(fields) {
    state.sending = true;
    state.remark = "";
    draw();
    const outcome = await app.act({ k: "step", step: id, ...fields });
    state.sending = false;
    if (outcome.state === "refused") {
      state.remark = t("refused", { reason: outcome.problem?.detail ?? "" });
      draw();
      return;
    }
    const next = outcome.result?.next ?? following(task, step, fields);
    Object.assign(step, { done: true, next, value: fields.value });
    app.store.keepDetail(task);
    app.openStep(next);
  }

  draw();
  return {
    onLive: (frame) => {
      boxes.forEach((box, key) => frame.v[key] && box.take(frame.v[key]));
      if (card.main) refreshMain(card.main);
    },
    tick: () => {
      boxes.forEach((box) => box.tick());
      if (card.main) refreshMain(card.main);
    },
    onTask: () => task.state !== "in_progress" && app.resume(),
  };
}

/** USE READING carries the number that it will send, and is grey while that is stale. */
function refreshMain(box) {
  const button = /** @type {HTMLButtonElement | null} */ (document.querySelector(".commands button.reading, .commands button.main"));
  if (!button || button.textContent === t("sending")) return;
  const stale = box.usable() === null;
  if (button.disabled !== stale) {
    const had = document.activeElement === button;
    button.disabled = stale;
    if (had && stale) /** @type {HTMLElement | null} */ (document.querySelector(".commands button:not(:disabled)"))?.focus();
    if (!stale && (document.activeElement === document.body || document.activeElement?.parentElement?.classList.contains("commands"))) button.focus();
  }
  button.setAttribute("aria-description", stale ? t("reading_stale") : `${number(box.usable(), box.tag.dec ?? 2)} ${box.tag.unit}`);
}

/** One large value for what the step asks or shows first, a small one for another. */
function boxesOf(task, step) {
  const keys = [...new Set([step.in?.tag, ...(step.live ?? [])])].filter((key) => key && task.tags[key]).slice(0, 2);
  return new Map(keys.map((key, i) => [key, new LiveBox(i === 0 && step.in ? { ...task.tags[key], ...rangeOf(step.in) } : task.tags[key], i > 0)]));
}

function rangeOf(wanted) {
  return Object.fromEntries(["lo", "hi", "dec", "unit"].filter((name) => wanted[name] !== undefined).map((name) => [name, wanted[name]]));
}

function where(task, step) {
  return el("p", { class: "where" }, el("b", {}, `${step.n} / ${task.n_steps}`), `${task.asset.code} ${task.asset.name} `, el("span", { class: "link" }));
}

function part(step) {
  return step.part ? el("p", { class: "hint" }, t("fit_part", step.part)) : null;
}

function goBack(app, task, id) {
  const before = stepBefore(task, id);
  if (before) app.openStep(before);
  else app.openTasks();
}
