// @ts-check
// A sharp 2D context and the theme's colours for everything that is drawn.

/** @type {Map<string, string>} */
let cache = new Map();
/** @type {Set<() => void>} */
const redraws = new Set();

/** A token of tokens.css as the theme has it now. @param {string} token */
export function colour(token) {
  let found = cache.get(token);
  if (!found) {
    found = getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
    cache.set(token, found);
  }
  return found;
}

/** Draw again when the theme changes. @param {() => void} redraw */
export function onTheme(redraw) {
  redraws.add(redraw);
}

export function themeChanged() {
  cache = new Map();
  for (const redraw of redraws) redraw();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);

/**
 * The context of a canvas at device resolution, cleared; null while it has no size.
 * @param {HTMLCanvasElement} canvas
 * @returns {{c: CanvasRenderingContext2D, width: number, height: number} | null}
 */
export function sharp(canvas) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const c = canvas.getContext("2d");
  if (!width || !height || !c) return null;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  return { c, width, height };
}

/**
 * Diagonal hatch: stopped, stale or no data.
 * @param {CanvasRenderingContext2D} c
 * @param {number} x @param {number} y @param {number} w @param {number} h
 * @param {number} [step]
 */
export function hatch(c, x, y, w, h, step = 7) {
  if (w <= 0) return;
  c.save();
  c.beginPath();
  c.rect(x, y, w, h);
  c.clip();
  c.strokeStyle = colour("hatch");
  c.lineWidth = 1;
  c.beginPath();
  for (let at = x - h; at < x + w; at += step) {
    c.moveTo(at, y + h);
    c.lineTo(at + h, y);
  }
  c.stroke();
  c.restore();
}
