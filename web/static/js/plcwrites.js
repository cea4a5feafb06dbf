// @ts-check
// Guarded writes: ask (password), look at old and new, confirm within 30 s, follow what came of it. The server decides everything.
import { ApiError, get, post, press } from "./api.js";
import { byId, code, fill, h, icon, toast } from "./dom.js";
import { moment, plain } from "./format.js";
import { everyTick, now } from "./now.js";
import { _ } from "./words.js";

/** @type {Record<string, () => string>} */
const STATES = {
  requested: () => _("Waits for its confirmation"), sent: () => _("Sent"), written: () => _("Written"), refused: () => _("Refused"), unknown: () => _("Unknown: look at the machine"), expired: () => _("Not confirmed in time"),
};
/** @type {Record<string, string>} */
const ICONS = { requested: "clock", sent: "clock", written: "tick", refused: "cut", unknown: "critical-line", expired: "clock" };
const dialog = /** @type {HTMLDialogElement} */ (byId("ask-dialog"));
const form = /** @type {HTMLFormElement} */ (byId("ask-form"));
const whyDialog = /** @type {HTMLDialogElement} */ (byId("why-dialog"));
const whyForm = /** @type {HTMLFormElement} */ (byId("why-form"));
const send = /** @type {HTMLButtonElement} */ (byId("ask-send"));
/** @type {{target: any, value: number, command: any, second: boolean, ends: number}} */
let step = { target: null, value: 0, command: null, second: false, ends: 0 };
let whyPath = "";
/** @type {any} */
let desk = { items: [] };

/** @param {any} target @param {number | null | undefined} value */
function shown(target, value) {
  if (value === null || value === undefined) return "—";
  return target.type === "BOOL" || target.pulse_ms ? (value ? "1" : "0") : `${plain(value, 3)}${target.unit ? ` ${target.unit}` : ""}`;
}

/** @param {[string, any][]} rows */
function facts(rows) {
  fill(byId("ask-facts"), rows.flatMap(([word, value]) => [h("dt", {}, word), h("dd", {}, value)]));
}

/** @param {any} target @param {number} value */
function change(target, value) {
  return target.mode === "pulse" ? _("{value} for {ms} ms, then back to 0", { value: shown(target, value), ms: target.pulse_ms }) : shown(target, value);
}

/** The first step. @param {any} target @param {number} value */
function open(target, value) {
  step = { target, value, command: null, second: false, ends: 0 };
  form.reset();
  facts([[_("Machine"), code(target.machine)], [_("Tag"), code(target.tag)], [_("New value"), change(target, value)], [_("Effect"), target.effect], [_("Only if"), target.only_if.length ? code(target.only_if.join(", ")) : _("no condition")]]);
  show({ reason: true, password: true, word: _("Go on") });
  dialog.showModal();
}

/** @param {{reason: boolean, password: boolean, word: string}} what */
function show(what) {
  byId("reason-field").hidden = !what.reason;
  byId("password-field").hidden = !what.password;
  /** @type {HTMLInputElement} */ (byId("reason")).required = what.reason;
  /** @type {HTMLInputElement} */ (byId("password")).required = what.password;
  byId("left").hidden = !step.ends;
  byId("ask-error").hidden = true;
  fill(send, what.word);
}

/** The second step: what it is now, what it will be. @param {any} command @param {boolean} second */
function confirmation(command, second) {
  const target = desk.items.find((/** @type {any} */ one) => one.name === command.entry) ?? { ...command, machine: "", unit: "" };
  step = { target, value: command.value, command, second, ends: performance.now() + command.seconds_left * 1000 };
  const present = command.present === null ? _("not known") : `${shown(target, command.present)} · ${moment(command.present_at, now())}${command.present_quality ? ` · ${_("not good")}` : ""}`;
  facts([[_("Machine"), code(target.machine)], [_("Tag"), code(command.tag)], [_("Now"), present], [_("New value"), change({ ...target, ...command }, command.value)], [_("Effect"), command.effect], [_("Asked by"), `${command.requested_by}: ${command.reason}`]]);
  show({ reason: false, password: second, word: _("Write {value} to {tag}", { value: shown(target, command.value), tag: command.tag }) });
  if (!dialog.open) dialog.showModal();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const data = new FormData(form);
  press(send, () => (step.command ? confirm(String(data.get("password") || "")) : ask(data)), (message) => {
    fill(byId("ask-error"), icon("critical-line"), message);
    byId("ask-error").hidden = false;
  }).then(() => {
    if (step.command && dialog.open) fill(send, _("Write {value} to {tag}", { value: shown(step.target, step.value), tag: step.command.tag }));
  });
});

/** @param {FormData} data */
async function ask(data) {
  const command = await post("/api/commands", { entry: step.target.name, value: step.value, reason: data.get("reason"), password: data.get("password") });
  form.reset();
  if (command.nonce) {
    confirmation(command, false);
  } else {
    dialog.close();
    toast(_("A second person confirms it on this page, within {n} s.", { n: Math.round(command.seconds_left) }));
  }
  await refresh();
}

/** @param {string} password */
async function confirm(password) {
  await post(`/api/commands/${step.command.id}/confirm`, { nonce: step.command.nonce, ...(step.second ? { password } : {}) });
  dialog.close();
  toast(_("Sent. What came of it stands in the list below."));
  await refresh();
}

/** @param {any} target */
function targetRow(target) {
  const may = desk.may_write && target.enabled && !desk.off && !desk.stopped;
  const pick = target.values
    ? target.values.map((/** @type {number} */ value) => h("button", { class: "button", type: "button", disabled: !may, onclick: () => open(target, value) }, target.mode === "pulse" ? _("Ask") : _("Set {value}", { value: shown(target, value) })))
    : numberForm(target, may);
  const notes = [target.class === "critical" && _("a second person confirms"), target.only_if.length && _("only if {conditions}", { conditions: target.only_if.join(", ") }), !target.enabled && _("its PLC is not enabled in the list")].filter(Boolean);
  return h("li", {}, icon("bolt"), h("span", {}, h("b", {}, target.label), h("br"), code(`${target.machine} · ${target.tag}`), h("br"), h("span", { class: "quiet" }, [target.effect, ...notes].join(" · "))), h("span", { class: "row wrap" }, pick));
}

/** @param {any} target @param {boolean} may */
function numberForm(target, may) {
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", type: "number", step: "any", min: target.low, max: target.high, required: true, disabled: !may, "aria-label": _("New value of {tag}", { tag: target.tag }), placeholder: `${target.low} – ${target.high}` }));
  return h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); open(target, Number(input.value)); } }, input, h("button", { class: "button", type: "submit", disabled: !may }, _("Set")));
}

/** @param {any} command */
function commandRow(command) {
  const target = desk.items.find((/** @type {any} */ one) => one.name === command.entry) ?? command;
  const waits = command.state === "requested" && command.class === "critical" && desk.may_write;
  const second = waits && h("button", { class: "button", type: "button", onclick: () => get(`/api/commands/${command.id}`).then((one) => (one.nonce ? confirmation(one, true) : toast(_("A second person confirms a critical write.")))).catch(tell) }, _("Confirm"));
  const from = shown(target, command.old ?? command.present);
  const people = command.confirmed_by && command.confirmed_by !== command.requested_by ? `${command.requested_by}, ${command.confirmed_by}` : command.requested_by;
  const words = [moment(command.requested_at, now()), people, command.reason, command.detail].filter(Boolean).join(" · ");
  return h("li", { "data-state": command.state }, icon(ICONS[command.state] ?? "clock"), h("span", {}, h("b", {}, STATES[command.state]?.() ?? command.state), " ", code(`${command.tag} ${from} → ${shown(target, command.value)}`), h("br"), h("span", { class: "quiet" }, words)), second);
}

/** @param {unknown} error */
function tell(error) {
  if (!(error instanceof ApiError)) throw error;
  toast(error.message);
}

async function refresh() {
  const commands = await get("/api/commands?limit=20");
  fill(byId("commands"), commands.items.length ? commands.items.map(commandRow) : h("li", { class: "quiet" }, _("Nothing was ever asked for.")));
}

async function loadDesk() {
  desk = await get("/api/commands/targets");
  const words = [desk.off, desk.stopped, !desk.off && !desk.running && _("The program that writes does not run."), desk.weakness && _("The list is weakly protected: {why}.", { why: desk.weakness }), !desk.off && !desk.may_write && _("You may look, not write: an administrator gives the right plc.write to a person.")];
  fill(byId("desk-state"), words.filter(Boolean).join(" "));
  fill(byId("targets"), desk.items.length ? desk.items.map(targetRow) : h("li", { class: "quiet" }, _("Nothing may be written.")));
  const release = document.getElementById("release");
  if (release) release.hidden = !desk.stopped_by_page;
}

/** @param {string} title @param {string} path */
function askWhy(title, path) {
  whyPath = path;
  whyForm.reset();
  byId("why-error").hidden = true;
  fill(byId("why-title"), title);
  whyDialog.showModal();
}

whyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  press(/** @type {HTMLButtonElement} */ (byId("why-send")), async () => { await post(whyPath, { reason: new FormData(whyForm).get("reason") }); whyDialog.close(); await loadDesk(); }, (message) => { fill(byId("why-error"), message); byId("why-error").hidden = false; });
});
document.getElementById("stop")?.addEventListener("click", () => askWhy(_("Stop every write to every PLC"), "/api/commands/stop"));
document.getElementById("release")?.addEventListener("click", () => askWhy(_("Let writing go on"), "/api/commands/release"));
byId("why-cancel").addEventListener("click", () => whyDialog.close());
byId("ask-cancel").addEventListener("click", () => dialog.close());

let asked = 0;
everyTick((at) => {
  if (step.ends && dialog.open) {
    const left = Math.max(0, Math.ceil((step.ends - performance.now()) / 1000));
    byId("left").textContent = left ? _("Confirm within {n} s", { n: left }) : _("Too late. Ask again.");
    send.disabled = !left;
  }
  if (at - asked < 2000 || dialog.contains(document.activeElement)) return;
  asked = at;
  refresh().catch(() => {});
});
try {
  await loadDesk();
  await refresh();
} catch (error) {
  tell(error);
}
