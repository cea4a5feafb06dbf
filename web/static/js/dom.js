// @ts-check
// Building elements without markup strings: text is always text, styles go through CSSOM (strict CSP).

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, any>} Attributes
 */

/**
 * An element: h("p", {class: "meta", onclick: f}, "text", child). A `false` or null attribute or child is left out.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...solid(children));
  return element;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function solid(children) {
  return children.flat().flatMap((child) => {
    if (child === null || child === undefined || child === false) return [];
    return [typeof child === "number" ? String(child) : child];
  });
}

/**
 * Replace the children of an element.
 * @param {Element | null} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element?.replaceChildren(...solid(children));
}

/**
 * As `fill`, for children that are elements from before: what had the focus keeps it.
 * @param {Element | null} element
 * @param {...(Child | Child[])} children
 */
export function refill(element, ...children) {
  const focused = document.activeElement;
  fill(element, ...children);
  if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

/**
 * Set text only when it differs: a patch costs less than a rewrite and moves no selection.
 * @param {Node | null | undefined} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

/**
 * An icon of the sprite; decoration beside a word.
 * @param {string} name
 * @param {string} [extra] more classes
 */
export function icon(name, extra = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon ${extra}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A code, unit or tag name, which stays left to right in every language. @param {string} text @param {string} [cls] */
export function code(text, cls) {
  return h("bdi", { dir: "ltr", class: cls }, text);
}

/**
 * The element with this id; throws when the template lost it.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id} on this page`);
  return found;
}

/** A short message at the foot; polite. @param {string} text */
export function toast(text) {
  const place = byId("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(Number(place.dataset.timer));
  place.dataset.timer = String(setTimeout(() => (place.hidden = true), 6000));
}

/**
 * One sentence where content would be, with an act where there is one.
 * @param {string} text
 * @param {Child} [act]
 */
export function empty(text, act) {
  return h("p", { class: "empty" }, text, act);
}
