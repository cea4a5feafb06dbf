// @ts-check
// Where a value may be and where it is: track, normal range, ticks at the limits, needle (LOOK.md 3). Never mirrored.
import { h } from "./dom.js";
import { normalRange, scaleOf } from "./tags.js";

/**
 * The element; `update` moves the needle.
 * @param {import("./tags.js").Tag} tag
 * @param {string} [extra] more classes
 */
export function rangeBar(tag, extra = "") {
  const range = normalRange(tag);
  const scale = scaleOf(tag);
  const over = h("span", { class: "bar-over", hidden: true });
  const needle = h("span", { class: "bar-needle", hidden: true });
  const element = h("span", { class: `bar ${extra}`, "aria-hidden": "true" }, h("span", { class: "bar-track" }));
  if (!range || !scale) return { element, update: () => {} };
  const place = (/** @type {number} */ v) => Math.min(100, Math.max(0, ((v - scale[0]) / (scale[1] - scale[0])) * 100));
  const band = h("span", { class: "bar-band" });
  band.style.left = `${place(range[0])}%`;
  band.style.width = `${place(range[1]) - place(range[0])}%`;
  element.append(band);
  for (const at of new Set([range[0], range[1], ...(tag.limits || []).map((limit) => limit.value)])) {
    if (place(at) < 1 || place(at) > 99) continue;
    const tick = h("span", { class: "bar-tick" });
    tick.style.left = `${place(at)}%`;
    element.append(tick);
  }
  element.append(over, needle);

  /** @param {import("./tags.js").Judged} judged */
  function update(judged) {
    const shown = judged.value !== null && judged.freshness === "fresh";
    needle.hidden = !shown;
    over.hidden = !shown || !judged.limit || !judged.hue;
    element.dataset.hue = shown ? judged.hue : "";
    if (!shown || judged.value === null) return;
    needle.style.left = `${place(judged.value)}%`;
    if (!over.hidden && judged.limit) {
      const [from, to] = [place(judged.limit.value), place(judged.value)].sort((a, b) => a - b);
      over.style.left = `${from}%`;
      over.style.width = `${to - from}%`;
    }
  }
  return { element, update };
}
