// @ts-check
// REST: fetch with the CSRF header, problem+json turned into one sentence. Knows no page.
import { _ } from "./words.js";

/** What the server refused, in words a person can use. */
export class ApiError extends Error {
  /** @param {number} status @param {string} code @param {string} message @param {any} body */
  constructor(status, code, message, body) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

const csrf = document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") || "";

/**
 * @param {string} method
 * @param {string} path
 * @param {any} [body]
 * @param {Record<string, string>} [more] headers
 * @returns {Promise<any>}
 */
async function call(method, path, body, more = {}) {
  const answer = await send(method, path, body, more);
  return answer.status === 204 ? null : answer.json();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} body what JSON takes, or FormData for an upload
 * @param {Record<string, string>} more headers
 */
async function send(method, path, body, more) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...more };
  if (method !== "GET") headers["X-CSRFToken"] = csrf;
  const form = body instanceof FormData; // the browser writes its media type with the boundary
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined || form ? body : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "no_connection", _("No connection. Nothing was sent; try again when the link is back."), null);
  }
  if (answer.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    throw new ApiError(401, "signed_out", _("Signed out. Sign in again."), null);
  }
  if (!answer.ok) throw await problem(answer);
  return answer;
}

/** @param {Response} answer */
async function problem(answer) {
  const body = await answer.json().catch(() => null);
  const field = body?.errors?.[0];
  const detail = body?.detail || body?.title || _("The server answered {status}.", { status: answer.status });
  const more = field && field.detail && field.detail !== detail ? ` ${field.detail}` : "";
  return new ApiError(answer.status, body?.code || String(answer.status), detail + more, body);
}

/** @param {string} path @returns {Promise<any>} */
export const get = (path) => call("GET", path);
/** @param {string} path @param {any} [body] @param {Record<string, string>} [more] headers @returns {Promise<any>} */
export const post = (path, body = {}, more = {}) => call("POST", path, body, more);
/** @param {string} path @param {any} [body] @param {Record<string, string>} [more] headers @returns {Promise<any>} */
export const patch = (path, body = {}, more = {}) => call("PATCH", path, body, more);
/** @param {string} path @param {any} [body] @param {Record<string, string>} [more] headers @returns {Promise<any>} */
export const put = (path, body = {}, more = {}) => call("PUT", path, body, more);
/** @param {string} path @param {FormData} form @param {Record<string, string>} [more] headers @returns {Promise<any>} */
export const upload = (path, form, more = {}) => call("POST", path, form, more);
/** @param {string} path @param {Record<string, string>} [more] headers @returns {Promise<any>} */
export const remove = (path, more = {}) => call("DELETE", path, undefined, more);

/**
 * A thing with its entity tag, which If-Match sends back with a change.
 * @param {string} path
 * @returns {Promise<{body: any, tag: string | null}>}
 */
export async function getTagged(path) {
  const answer = await send("GET", path, undefined, {});
  return { body: await answer.json(), tag: answer.headers.get("ETag") };
}

/**
 * An array tag's frame: meta from the header, numbers as they lie on the wire.
 * @param {string} path
 * @returns {Promise<{meta: any, data: ArrayBuffer}>}
 */
export async function getFrame(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw await problem(answer);
  return { meta: JSON.parse(answer.headers.get("X-Frame") || "{}"), data: await answer.arrayBuffer() };
}

/**
 * Press: the button says "Sending" until the server has answered, then its own word again; errors go to `fail`.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<any>} act
 * @param {(message: string) => void} fail
 */
export async function press(button, act, fail) {
  if (button.disabled) return;
  const label = [...button.childNodes];
  button.disabled = true;
  button.textContent = _("Sending");
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fail(error.message);
  } finally {
    button.replaceChildren(...label);
    button.disabled = false;
  }
}
