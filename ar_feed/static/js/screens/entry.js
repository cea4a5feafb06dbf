// @ts-check
// Entering what no sensor tells: a number on a pad, a text or a code by keyboard or a scanner that types.

import { el } from "../dom.js";
import { fetchMarker } from "../feed.js";
import { setText, show } from "../frame.js";
import { bound, say, t } from "../words.js";

const KEYS = ["7", "8", "9", "⌫", "4", "5", "6", "−", "1", "2", "3", ".", "0"];
const TYPED = { "⌫": "Backspace", "−": "-" };
const LONGEST = 10;

/** Screen 6: the number pad of a measure step. */
export function numberPad(card) {
  const wanted = card.step.in ?? {};
  let entered = "";
  const node = { value: el("span", {}, ""), remark: el("p", { class: "remark", role: "status" }) };

  function press(key) {
    if (key === "⌫") entered = entered.slice(0, -1);
    else if (key === "−") entered = entered.startsWith("−") ? entered.slice(1) : `−${entered}`;
    else if (key === "." && entered.includes(".")) return;
    else if (entered.length < LONGEST) entered += key;
    update();
  }

  const parsed = () => {
    const value = Number(entered.replace("−", "-"));
    return /\d/.test(entered) && Number.isFinite(value) ? value : null;
  };

  function update() {
    setText(node.value, entered || " ");
    const value = parsed();
    const outside = value !== null && ((wanted.lo !== undefined && value < wanted.lo) || (wanted.hi !== undefined && value > wanted.hi));
    setText(node.remark, outside ? t("outside") : "");
    node.remark.classList.toggle("strong", outside);
  }

  function send() {
    const value = parsed();
    if (value === null) {
      setText(node.remark, t("not_a_number"));
      return;
    }
    card.reopen();
    card.answer({ value, unit: wanted.unit });
  }

  const keys = KEYS.map((key) =>
    el("button", { type: "button", "data-key": TYPED[key] ?? key, "aria-label": NAMES[key] ?? key, onclick: () => press(key) }, key),
  );
  const range = wanted.lo !== undefined && wanted.hi !== undefined ? t("range", { lo: bound(wanted.lo, wanted.dec), hi: bound(wanted.hi, wanted.dec) }) : "";
  show({
    title: t("enter_value"),
    sub: card.step.t,
    content: [
      el(
        "div",
        { class: "pad" },
        el("div", {}, el("p", { class: "entered", "aria-live": "polite" }, node.value, el("bdi", { class: "unit", dir: "ltr" }, wanted.unit ?? "")), el("p", { class: "hint" }, range), node.remark),
        el("div", { class: "keys" }, ...keys),
      ),
    ],
    commands: [
      { say: "SEND VALUE", act: send, main: true },
      { say: "CLEAR ENTRY", act: () => ((entered = ""), update()) },
      { say: say.back, act: card.reopen, back: true },
    ],
  });
  update();
  return {};
}

const NAMES = { "⌫": "delete", "−": "minus", ".": "point" };

function field(label, act) {
  const input = /** @type {HTMLInputElement} */ (el("input", { type: "text", "aria-label": label, autocomplete: "off", autocapitalize: "characters", maxlength: 200 }));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && input.value.trim()) act(input.value.trim());
  });
  return input;
}

/** A text or a code that a step asks for. @param {any} card @param {"value" | "code"} name */
export function textEntry(card, name) {
  const label = name === "code" ? t("scan_wanted", { code: card.step.in?.code ?? "" }) : card.step.t;
  const send = (text) => {
    card.reopen();
    card.answer({ [name]: text });
  };
  const input = field(label, send);
  show({
    title: label,
    content: [input],
    commands: [
      { say: "SEND ENTRY", act: () => input.value.trim() && send(input.value.trim()), main: true },
      { say: say.back, act: card.reopen, back: true },
    ],
    focus: "input",
  });
  return {};
}

/** A machine's label from the task list: opens the first task of mine on it. @param {any} app */
export function scanScreen(app) {
  const remark = el("p", { class: "remark", role: "status" });
  const open = async (text) => {
    try {
      const code = new URL(text, location.origin).pathname.split("/").pop() ?? "";
      const found = await fetchMarker(code);
      const mine = found.tasks.find((task) => app.store.tasks.has(task.id));
      if (mine) app.openTask(mine.id);
      else setText(remark, `${found.asset.code} ${found.asset.name}: ${t("no_tasks")}`);
    } catch (error) {
      setText(remark, error.problem?.detail ?? t("lost"));
    }
  };
  const input = field(t("scan_wanted", { code: "" }), open);
  show({
    title: say.scan,
    content: [input, remark],
    commands: [
      { say: "OPEN MACHINE", act: () => input.value.trim() && open(input.value.trim()), main: true },
      { say: say.back, act: () => app.openTasks(), back: true },
    ],
    focus: "input",
  });
  return {};
}
