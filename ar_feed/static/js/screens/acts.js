// @ts-check
// What can be said on a step card, by the step's kind: at most four commands with different last words.

import { el } from "../dom.js";
import { say, t } from "../words.js";
import { numberPad, textEntry } from "./entry.js";
import { pictureScreen } from "./picture.js";
import { problemScreen } from "./problem.js";
import { takePhoto } from "./photo.js";

/** Rows of a choice; null for the other kinds. */
export function optionRows(card) {
  if (card.step.k !== "choice") return null;
  const rows = (card.step.opt ?? []).slice(0, 4).map((option, i) =>
    el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "row", "data-key": i + 1, disabled: card.state.sending, onclick: () => card.answer({ opt: option.k }) },
        el("span", { class: "n" }, String(i + 1)),
        el("span", { class: "t" }, option.t),
        el("span", { class: "state strong" }, option.say ?? ""),
      ),
    ),
  );
  return el("ul", { class: "rows tight" }, ...rows);
}

/** Commands of a step: its main act first, the way back last. */
export function commandsOf(card) {
  const { app, task, step } = card;
  const problem = { say: say.problem, act: () => app.open(problemScreen(app, task, card.reopen, step.id)) };
  const picture = step.media?.length ? { say: say.picture, act: () => app.open(pictureScreen(step.media, card.reopen)) } : null;
  const back = { say: say.back, act: card.back, back: true };
  const own = (ACTS[step.k] ?? ACTS.confirm)(card).map((command) => (card.state.sending ? { ...command, say: command.main ? t("sending") : command.say, disabled: true } : command));
  const extra = [picture, problem].filter((command) => command !== null).slice(0, Math.max(0, 3 - own.length));
  return [...own, ...extra, back];
}

const confirm = (card) => [{ say: card.step.say, act: () => card.answer({}), main: true }];

const ACTS = {
  info: confirm,
  confirm,
  sign: confirm,
  part: (card) => [{ say: card.step.say, act: () => card.answer({ value: card.step.part?.qty }), main: true }, ...skip(card)],
  check: (card) => [
    { say: card.step.say, act: () => card.answer({ opt: "pass" }), main: true },
    { say: "CHECK FAILED", act: () => card.answer({ opt: "fail" }) },
    ...(card.step.must ? [] : [{ say: "NOT APPLICABLE", act: () => card.answer({ opt: "na" }) }]),
  ],
  choice: () => [],
  measure: (card) => [
    ...(card.main ? [{ say: say.reading, act: () => useReading(card), main: true, disabled: card.main.usable() === null }] : []),
    { say: say.value, act: () => card.app.open(numberPad(card)), main: !card.main },
  ],
  photo: (card) => [{ say: say.photo, act: () => takePhoto(card), main: true }, ...skip(card)],
  scan: (card) => [{ say: say.scan, act: () => card.app.open(textEntry(card, "code")), main: true }, ...skip(card)],
  text: (card) => [{ say: "ENTER TEXT", act: () => card.app.open(textEntry(card, "value")), main: true }, ...skip(card)],
  timer: (card) => [{ say: card.state.left ? t("seconds_left", { count: card.state.left }) : card.step.say, act: () => runTimer(card), main: true, disabled: card.state.left > 0 }],
};

/** A step that need not be done may be passed over. */
function skip(card) {
  if (card.step.must || !card.step.next) return [];
  return [{ say: "SKIP THIS", act: () => card.app.openStep(card.step.next) }];
}

function useReading(card) {
  const value = card.main.usable();
  if (value === null) {
    card.state.remark = t("reading_stale");
    card.draw();
    return;
  }
  card.answer({ value, unit: card.step.in.unit ?? card.main.tag.unit });
}

function runTimer(card) {
  card.state.left = Math.ceil(card.step.in?.seconds ?? 1);
  const timer = setInterval(() => {
    card.state.left -= 1;
    if (card.app.task !== card.task) clearInterval(timer);
    else if (card.state.left > 0) card.draw();
    else {
      clearInterval(timer);
      card.answer({});
    }
  }, 1000);
  card.draw();
}
