// @ts-check
// One order for someone from outside: read it, answer its steps, act, remark. The link's token is the only key; nothing else is asked.
import { byId, fill, h } from "./dom.js";
import { _ } from "./words.js";

const token = decodeURIComponent(location.pathname.split("/").pop() || "");
const ACTS = {
  open: ["start"],
  assigned: ["start"],
  reopened: ["start"],
  in_progress: ["hold", "problem", "complete"],
  on_hold: ["resume"],
};
const WORDS = {
  start: () => _("Start"),
  hold: () => _("Pause"),
  problem: () => _("Report a problem"),
  resume: () => _("Go on"),
  complete: () => _("Complete"),
};
/** @type {[string, () => string][]} */
const CHECKS = [["pass", () => _("Pass")], ["fail", () => _("Fail")], ["na", () => _("Does not apply")]];
const ASKS = { hold: "reason", problem: "note", complete: "notes" };

/** @param {string} method @param {string} path @param {any} [body] @returns {Promise<any>} */
async function ask(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", Authorization: `Bearer ${token}` };
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  const answer = await fetch(`/api/contract${path}`, { method, headers, body: body === undefined || form ? body : JSON.stringify(body) });
  const got = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.status === 401) throw new Error(_("This link has ended. Ask who sent it for a new one."));
  if (!answer.ok) throw new Error(got?.detail || _("The server answered {status}.", { status: answer.status }));
  return got;
}

/** @param {() => Promise<any>} act */
async function run(act) {
  byId("error").hidden = true;
  try {
    await act();
    await show();
  } catch (error) {
    byId("error").textContent = error instanceof Error ? error.message : String(error);
    byId("error").hidden = false;
  }
}

/** @param {any} step @param {boolean} open */
function stepRow(step, open) {
  const done = step.done ? `${_("Done")}${step.answer?.value !== null && step.answer?.value !== undefined ? `: ${step.answer.value} ${step.in?.unit || ""}` : ""}` : "";
  const row = h("li", {}, h("b", {}, step.t), step.warn ? h("p", { class: "error" }, step.warn.t) : null, done ? h("p", { class: "quiet" }, done) : null);
  if (!open || step.done) return row;
  const send = (/** @type {any} */ answer) => run(() => ask("POST", `/steps/${encodeURIComponent(step.id)}`, answer));
  if (step.k === "choice") row.append(h("p", { class: "row" }, (step.opt || []).map((/** @type {any} */ option) => h("button", { class: "button", type: "button", onclick: () => send({ option: option.k }) }, option.t))));
  else if (step.k === "check") row.append(h("p", { class: "row" }, CHECKS.map(([option, word]) => h("button", { class: "button", type: "button", onclick: () => send({ option }) }, word()))));
  else if (step.k === "photo") row.append(photo(step, send));
  else if (["measure", "number", "part", "text", "scan"].includes(step.k)) row.append(typed(step, send));
  else row.append(h("p", {}, h("button", { class: "button", type: "button", onclick: () => send({}) }, _("Done"))));
  return row;
}

/** @param {any} step @param {(answer: any) => void} send */
function typed(step, send) {
  const label = step.in?.unit ? `${_("Answer")}, ${step.in.unit}` : _("Answer");
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: `answer-${step.id}`, autocomplete: "off", required: true }));
  const answer = () => (step.k === "scan" ? { code: input.value.trim() } : { value: ["measure", "number", "part"].includes(step.k) ? Number(input.value.replace(",", ".")) : input.value.trim(), unit: step.in?.unit || null });
  const form = h("form", { class: "stack" }, h("label", { for: `answer-${step.id}` }, label), input, h("p", {}, h("button", { class: "button", type: "submit" }, _("Save"))));
  form.addEventListener("submit", (event) => { event.preventDefault(); send(answer()); });
  return form;
}

/** @param {any} step @param {(answer: any) => Promise<any>} send */
function photo(step, send) {
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", id: `photo-${step.id}`, type: "file", accept: "image/jpeg,image/png,image/webp", capture: "environment" }));
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (!file) return;
    const form = new FormData();
    form.append("file", file);
    run(async () => {
      const kept = await ask("POST", "/step-photos", form);
      await send({ media: [kept.id] });
    });
  });
  return h("div", { class: "field" }, h("label", { for: `photo-${step.id}` }, _("Take or choose a photo")), input);
}

/** @param {any} order @param {string} action */
function actForm(order, action) {
  const key = ASKS[/** @type {keyof typeof ASKS} */ (action)];
  const words = key ? /** @type {HTMLTextAreaElement} */ (h("textarea", { class: "input", id: `words-${action}`, rows: 2, required: true })) : null;
  const verdict = action === "complete" && order.needs_verdict ? /** @type {HTMLSelectElement} */ (h("select", { class: "input", "aria-label": _("What was found") }, h("option", { value: "confirmed" }, _("The alarm was right")), h("option", { value: "false" }, _("Nothing was wrong")), h("option", { value: "something_else" }, _("Something else was wrong")))) : null;
  const form = h("form", { class: "stack card card-pad" }, words && h("div", { class: "field" }, h("label", { for: words.id }, _("In your words")), words), verdict, h("p", {}, h("button", { class: "button", type: "submit" }, WORDS[/** @type {keyof typeof WORDS} */ (action)]())));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => ask("POST", `/actions/${action}`, { ...(key && words ? { [key]: words.value } : {}), ...(verdict ? { verdict: verdict.value } : {}) }));
  });
  return form;
}

async function show() {
  const [order, steps, remarks, photos] = await Promise.all([ask("GET", ""), ask("GET", "/steps"), ask("GET", "/comments?limit=200"), ask("GET", "/photos")]);
  byId("title").textContent = `${order.number}: ${order.title}`;
  byId("place").textContent = [order.asset.name, order.asset.code, order.asset.place].filter(Boolean).join(" · ");
  fill(byId("order"), h("p", {}, order.description), h("p", { class: "quiet" }, `${_("State")}: ${order.status.replace("_", " ")} · ${order.holder}`), (order.safety || []).map((/** @type {any} */ danger) => h("p", { class: "error" }, danger.t || String(danger))));
  const working = order.may_work && order.status === "in_progress";
  fill(byId("steps"), steps.steps.map((/** @type {any} */ step) => stepRow(step, working && step.open)));
  const acts = order.may_work ? ACTS[/** @type {keyof typeof ACTS} */ (order.status)] || [] : [];
  fill(byId("acts"), acts.map((/** @type {string} */ action) => actForm(order, action)));
  fill(byId("remarks"), remarks.items.map((/** @type {any} */ row) => h("li", {}, h("b", {}, row.author), ` ${row.body}`)), photos.items.map((/** @type {any} */ row) => h("li", {}, row.caption || row.name)));
  byId("remark").hidden = !order.may_work;
}

byId("remark").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = /** @type {HTMLTextAreaElement} */ (byId("words"));
  run(async () => {
    await ask("POST", "/comments", { body: words.value });
    words.value = "";
  });
});
byId("photo").addEventListener("change", () => {
  const input = /** @type {HTMLInputElement} */ (byId("photo"));
  if (!input.files?.length) return;
  const form = new FormData();
  form.append("file", input.files[0]);
  run(async () => {
    await ask("POST", "/photos", form);
    input.value = "";
  });
});
run(async () => {});
