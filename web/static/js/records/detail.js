// @ts-check
// One record: its fields, acts and lists; edited in place, where #edit in the address opens the form.
import { ApiError, getTagged, patch, remove } from "../api.js";
import { byId, empty, fill, h, icon, setText, toast } from "../dom.js";
import { _ } from "../words.js";
import { buttons } from "./acts.js";
import { confirm } from "./confirm.js";
import { form } from "./form.js";
import { panel } from "./panels.js";
import { at, fillPath, spec } from "./spec.js";
import { nameOf, show } from "./values.js";

const path = `${spec.api}/${encodeURIComponent(byId("head").dataset.key || "")}`;
const FOLLOW_MS = 2000;
let following = 0;
/** @type {any} */
let record = null;
/** @type {string | null} */
let tag = null;

/** What heads the page. @returns {string} */
const title = () => String(at(record, spec.name) ?? "") || nameOf(record);

function files() {
  const found = (spec.downloads || []).filter((one) => !one.on_list).map((one) => ({ label: one.label, href: fillPath(one.path, record) }));
  return found.filter(({ href }) => href).map(({ label, href }) => h("a", { class: "button", href, download: "" }, label));
}

function showHead() {
  setText(byId("title"), title());
  document.title = `${title()} · ${spec.one} · Sightline`;
  const mark = at(record, "number") ?? at(record, "code");
  setText(byId("crumb-key"), String(mark ?? title()));
  const around = { row: record, of: record, place: byId("act-form"), tag: () => tag, done: load };
  const acts = (spec.acts || []).filter((act) => !act.on_list);
  fill(
    byId("acts"),
    ...files(),
    ...buttons(acts, around),
    spec.deletes && h("button", { class: "button", type: "button", onclick: askDelete }, _("Delete")),
    spec.edits && h("button", { class: "button main", type: "button", id: "edit", onclick: edit }, _("Edit")),
  );
}

function askDelete() {
  confirm(_("Delete {thing}", { thing: title() }), _("It leaves the lists; what refers to it keeps it."), _("Delete"), async () => {
    await remove(path, tag ? { "If-Match": tag } : {});
    location.assign(`/${spec.path}`);
  });
}

function showFacts() {
  const seen = new Set((spec.panels || []).map((one) => one.inside)); // a list that has a panel of its own stands there
  const told = (/** @type {import("./spec.js").Field} */ field) => !field.needs || ![undefined, null, "", "unknown"].includes(at(record, field.needs));
  const fields = [...(spec.fields || []), ...(spec.read_only || [])].filter((field) => field.kind !== "file" && told(field) && !seen.has(field.name) && seen.add(field.name));
  const pairs = fields.map((field) => h("div", { class: ["long", "list"].includes(field.kind) && at(record, field.name)?.length ? "wide" : null, "data-field": field.name }, h("dt", {}, field.label), h("dd", {}, show(field, record))));
  fill(byId("facts"), h("dl", { class: "grid" }, ...pairs));
  byId("facts").removeAttribute("aria-busy");
}

/** Send what was changed; a text that may be empty but not null is told by the refusal. @param {Record<string, any>} values */
async function change(values) {
  const headers = tag ? { "If-Match": tag } : {};
  try {
    await patch(path, values, headers);
  } catch (error) {
    const refused = error instanceof ApiError && error.status === 422 ? (error.body?.errors || []).map((/** @type {any} */ one) => one.field) : [];
    if (!refused.length || !refused.every((/** @type {string} */ name) => values[name] === null)) throw error;
    await patch(path, { ...values, ...Object.fromEntries(refused.map((/** @type {string} */ name) => [name, ""])) }, headers);
  }
}

function edit() {
  byId("facts").hidden = true;
  fill(byId("act-form"));
  byId("edit").hidden = true;
  history.replaceState(null, "", "#edit");
  const close = () => {
    history.replaceState(null, "", location.pathname);
    fill(byId("form"));
    byId("facts").hidden = false;
    byId("edit").hidden = false;
    byId("edit").focus();
  };
  const element = form({
    fields: spec.fields || [],
    body: record,
    word: _("Save"),
    cancel: async () => {
      close();
      await load();
    },
    send: async (values) => {
      if (Object.keys(values).length) await change(values);
      await load();
      return {
        next: () => {
          close();
          toast(_("Saved"));
        },
      };
    },
  });
  fill(byId("form"), h("section", { class: "card card-pad", "aria-label": _("Edit") }, element));
  /** @type {HTMLElement | null} */ (element.querySelector("input, select, textarea"))?.focus();
}

async function load() {
  const answer = await getTagged(path);
  record = answer.body;
  tag = answer.tag;
  showHead();
  showFacts();
  fill(byId("panels"), ...(spec.panels || []).map((one, n) => panel(one, { record, tag: () => tag, done: load }, n)));
  follow();
}

/** While the record changes by itself it is read again; not under a form or a question that a person has open. */
function follow() {
  const [name, values] = spec.follows || ["", []];
  clearTimeout(following);
  if (!values.includes(String(at(record, name)))) return;
  following = setTimeout(async () => {
    if (document.hidden || document.querySelector(".act-form form, dialog[open], #form form")) return follow();
    await load().catch(() => follow()); // away for a moment
  }, FOLLOW_MS);
}

async function start() {
  try {
    await load();
    if (location.hash === "#edit" && spec.edits) edit();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    setText(byId("title"), error.status === 404 ? _("Not found") : spec.one);
    const retry = h("button", { class: "button", type: "button", onclick: start }, _("Retry"));
    fill(byId("facts"), error.status === 404 ? empty(_("There is no such record, or it is of another site."), h("a", { class: "link", href: `/${spec.path}` }, spec.title)) : h("p", { class: "error card-pad" }, icon("critical-line"), error.message, retry));
    byId("facts").removeAttribute("aria-busy");
  }
}
start();
