// @ts-check
// The demo panel: pick a place and a fault; what runs is listed with an end.
import { ApiError, get, post, press, remove } from "./api.js";
import { byId, code, empty, fill, h, icon, toast } from "./dom.js";
import { ms, time } from "./format.js";
import { everyTick } from "./now.js";
import { assets, load } from "./store.js";
import { isShown, labelOf } from "./tags.js";
import { _ } from "./words.js";

/** @type {Record<string, () => string>} */
const WORDS = {
  drift: () => _("Drifts slowly"), stuck: () => _("Is stuck at one value"), spike: () => _("Shows single spikes"), noise: () => _("Becomes noisy"), over_range: () => _("Leaves the instrument's range"),
  silence: () => _("Falls silent"), fault_code: () => _("Machine reports a fault"), source_off: () => _("Source goes off"), overheat: () => _("Overheats"),
};
const TAG_KINDS = ["drift", "stuck", "spike", "noise", "over_range", "silence"];
const target = /** @type {HTMLSelectElement} */ (byId("target"));
const kind = /** @type {HTMLSelectElement} */ (byId("kind"));
const form = /** @type {HTMLFormElement} */ (byId("fault-form"));
/** @type {any[]} */
let faults = [];

function showTargets() {
  const sources = [...new Set([...assets.values()].flatMap((asset) => asset.tags.map((/** @type {any} */ tag) => tag.source)).filter(Boolean))];
  const groups = [...assets.values()].map((asset) =>
    h("optgroup", { label: `${asset.code} ${asset.name}` }, h("option", { value: asset.code, "data-kinds": "asset" }, _("{code}, the machine", { code: asset.code })), asset.tags.filter((/** @type {any} */ tag) => isShown(tag) && !tag.role && !/\.plate\./.test(tag.name)).map((/** @type {any} */ tag) => h("option", { value: tag.name }, `${tag.name} · ${labelOf(tag)}`))),
  );
  fill(target, groups, h("optgroup", { label: _("Sources") }, sources.map((name) => h("option", { value: name, "data-kinds": "source" }, name))));
}

/** What the plant can show at a place: only a polled machine has fault codes, and it cannot fall silent. @param {string} name @param {string | undefined} what */
function kindsOf(name, what) {
  if (what === "source") return ["source_off"];
  const tags = [...assets.values()].find((asset) => asset.code === name || asset.tags.some((/** @type {any} */ tag) => tag.name === name))?.tags ?? [];
  const polled = tags.some((/** @type {any} */ tag) => tag.role === "fault_code");
  const hot = tags.some((/** @type {any} */ tag) => tag.unit === "°C" && (what === "asset" || tag.name === name));
  const kinds = what === "asset" ? [polled && "fault_code", hot && "overheat", "silence"] : [...TAG_KINDS, hot && "overheat"];
  return kinds.filter((one) => one && !(polled && one === "silence"));
}

function showKinds() {
  fill(kind, kindsOf(target.value, target.selectedOptions[0]?.dataset.kinds).map((/** @type {any} */ one) => h("option", { value: one }, WORDS[one]())));
}

/** @param {any} fault */
function row(fault) {
  const end = /** @type {HTMLButtonElement} */ (h("button", { class: "button", type: "button" }, _("End {target}", { target: fault.target })));
  end.addEventListener("click", () => press(end, async () => { await remove(`/api/simulator/faults/${encodeURIComponent(fault.id)}`); await refresh(); }, toast));
  const since = ms(fault.started ?? fault.started_at);
  const until = ms(fault.until);
  const words = [since && _("since {time}", { time: time(since, true) }), until && _("ends at {time}", { time: time(until, true) }), fault.refused && _("refused: {reason}", { reason: fault.refused })].filter(Boolean);
  return h("li", {}, icon("bolt"), h("span", {}, h("b", {}, code(fault.target)), ` ${(WORDS[fault.kind]?.() || fault.kind).toLowerCase()}`, h("br"), h("span", { class: "quiet" }, words.join(" · "))), end);
}

let shown = "";
async function refresh() {
  faults = (await get("/api/simulator")).faults || [];
  const key = faults.map((fault) => fault.id).join();
  if (key === shown && faults.length) return;
  shown = key;
  fill(byId("faults"), faults.length ? faults.map(row) : h("li", { class: "quiet" }, _("None. The plant is healthy.")));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const optional = (/** @type {string} */ name) => (data.get(name) ? { [name]: Number(data.get(name)) } : {});
  byId("error").hidden = true;
  press(
    /** @type {HTMLButtonElement} */ (byId("inject")),
    async () => {
      await post("/api/simulator/faults", { target: data.get("target"), kind: data.get("kind"), ...optional("duration_s"), ...optional("magnitude") });
      toast(_("Injected. Watch the overview: the alarm comes from the signal."));
      setTimeout(() => refresh().catch(() => {}), 1200);
    },
    (message) => {
      fill(byId("error"), icon("critical-line"), message);
      byId("error").hidden = false;
    },
  );
});
target.addEventListener("change", showKinds);
let asked = 0;
everyTick((at) => {
  if (at - asked < 3000) return;
  asked = at;
  refresh().catch(() => {});
});
try {
  await load("assets");
  showTargets();
  showKinds();
  await refresh();
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  fill(byId("faults"), empty(error.message));
}
