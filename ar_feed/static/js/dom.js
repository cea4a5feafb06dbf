// @ts-check
// Building nodes; every text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element with attributes, listeners (on...) and children; null children are left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const STROKE = { fill: "none", stroke: "currentColor", "stroke-width": 2.8, "stroke-linecap": "round", "stroke-linejoin": "round" };
const SHAPES = {
  triangle: ["M16 4 L29 28 H3 Z", "M16 12 V19", "M16 23.500 V24"],
  octagon: ["M11 3 H21 L29 11 V21 L21 29 H11 L3 21 V11 Z", "M16 9 V17", "M16 22 V22.500"],
  tick: ["M5 17 L12 24 L27 8"],
  rotate: ["M26 16 a10 10 0 1 1 -4 -8", "M22 2 V8 H16"],
  heat: ["M12 18 V6 a4 4 0 0 1 8 0 V18 a7 7 0 1 1 -8 0 Z", "M16 22 V23"],
  lock: ["M6 14 H26 V28 H6 Z", "M10 14 V9 a6 6 0 0 1 12 0 V14"],
  bolt: ["M18 2 L6 18 H15 L13 30 L26 13 H17 Z"],
  pressure: ["M16 28 a12 12 0 1 1 0.100 0 Z", "M16 16 L22 10", "M16 28 V31"],
  hand: ["M10 16 V7 M15 15 V4 M20 15 V6 M25 17 V10 M10 16 V18 L6 14 L4 17 L10 27 H22 L25 20 V17"],
};

/** A drawn shape from our own set; unknown names are the warning triangle. */
export function icon(name) {
  const paths = (SHAPES[name] ?? SHAPES.triangle).map((d) => svg("path", { d }));
  return svg("svg", { viewBox: "0 0 32 32", "aria-hidden": "true", ...STROKE }, ...paths);
}

/** The proof seal: toothed disc with a tick. */
export function seal() {
  const points = Array.from({ length: 24 }, (_, i) => {
    const radius = i % 2 ? 43 : 50;
    const angle = (i * Math.PI) / 12;
    return `${(50 + radius * Math.sin(angle)).toFixed(1)},${(50 - radius * Math.cos(angle)).toFixed(1)}`;
  });
  const tick = svg("path", { d: "M30 51 L45 66 L72 36", fill: "none", stroke: "var(--paper)", "stroke-width": 9, "stroke-linecap": "round", "stroke-linejoin": "round" });
  return svg("svg", { viewBox: "0 0 100 100", class: "seal", "aria-hidden": "true" }, svg("polygon", { points: points.join(" "), fill: "currentColor" }), tick);
}
