// @ts-check
// What the reader wants to be told of: lines of topic, area and severity, and the quiet hours. Put as a whole.
import { ApiError, get, put } from "./api.js";
import { byId, fill, h, icon, setText, toast } from "./dom.js";
import { form } from "./records/form.js";
import { _ } from "./words.js";

const TOPICS = [["alert", _("Alerts")], ["work", _("Work")], ["report", _("Reports")], ["escalation", _("Alerts nobody answers")]];
const SEVERITIES = [["advisory", _("Advisory")], ["warning", _("Warning")], ["critical", _("Critical")]];

/** @param {string} name @param {string} label @param {string} kind @param {any} [more] @returns {import("./records/spec.js").Field} */
const field = (name, label, kind, more = {}) => ({ name, label, kind, key: "id", shows: "name", ...more });

/** @param {[string, string][]} areas */
function fields(areas) {
  const columns = [
    field("topic", _("About"), "choice", { choices: TOPICS, required: true }),
    field("area", _("Area"), "choice", { choices: areas, none: _("Any") }),
    field("severity", _("Severity"), "choice", { choices: SEVERITIES, none: _("Any") }),
    field("in_app", _("In the app"), "flag", { default: true }),
    field("mail", _("By mail"), "flag"),
  ];
  return [
    field("choices", _("Lines"), "list", { columns }),
    field("quiet_from", _("Quiet from"), "text", { hint: _("HH:MM by the clock of the site; empty = no quiet hours") }),
    field("quiet_to", _("Quiet to"), "text"),
    field("critical_passes", _("Critical alerts are mailed in quiet hours too"), "flag"),
  ];
}

/** What the API reads: whole numbers for areas, claims for flags. @param {any} values */
function sent(values) {
  const choices = (values.choices || []).map((/** @type {any} */ one) => ({ topic: one.topic, area: one.area ? Number(one.area) : null, severity: one.severity || null, in_app: Boolean(one.in_app), mail: Boolean(one.mail) }));
  return { choices, quiet_from: values.quiet_from || null, quiet_to: values.quiet_to || null, critical_passes: Boolean(values.critical_passes) };
}

async function load() {
  const [found, areas] = await Promise.all([get("/api/me/preferences"), get("/api/areas?limit=500")]);
  const body = { ...found, choices: found.choices.map((/** @type {any} */ one) => ({ ...one, area: one.area === null ? null : String(one.area) })) };
  const names = areas.items.map((/** @type {any} */ area) => [String(area.id), area.name]);
  const where = found.email ? _("Mail goes to {address}.", { address: found.email }) : _("You have no mail address here; ask an administrator to enter it.");
  setText(byId("state"), found.chosen ? where : `${_("These are the defaults of your role.")} ${where}`);
  const send = async (/** @type {any} */ values) => {
    await put("/api/me/preferences", sent({ ...body, ...values }), { "If-Match": `"${found.rev}-0"` });
    return { next: () => { toast(_("Saved")); load(); } };
  };
  fill(byId("form"), form({ fields: fields(names), body, word: _("Save"), send, cancel: load }));
}

load().catch((error) => {
  if (!(error instanceof ApiError)) throw error;
  fill(byId("form"), h("p", { class: "error" }, icon("critical-line"), h("span", {}, error.message)));
});
