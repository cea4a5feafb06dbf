// @ts-check
// The feed over HTTP: one function per call, one error for everything that is not a success.

const BASE = "/ar/v1";
const TOKEN = "sightline.token";
const TIMEOUT_MS = 8000;

/** An answer other than success: status 0 means that there was none. */
export class FeedError extends Error {
  /** @param {number} status @param {any} problem @param {number} retryAfterS */
  constructor(status, problem, retryAfterS = 0) {
    super(problem?.detail ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfterS = retryAfterS;
  }
}

/** Who this device acts for: {token, user} or null. */
export function session() {
  return JSON.parse(localStorage.getItem(TOKEN) ?? "null");
}

export function keepSession(found) {
  localStorage.setItem(TOKEN, JSON.stringify(found));
}

export function endSession() {
  localStorage.removeItem(TOKEN);
}

async function call(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  const token = session()?.token;
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(BASE + path, { ...options, headers, credentials: "omit", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new FeedError(0, { detail: String(error) });
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new FeedError(response.status, body, Number(response.headers.get("Retry-After") ?? 0));
  return body;
}

const post = (path, body) => call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const askToPair = (kind, name) => post("/pair", { kind, name });
export const fetchToken = (code) => post("/pair/token", { device_code: code });
export const fetchTasks = () => call("/tasks?limit=100");
export const fetchChanges = (cursor) => call(`/tasks?since=${encodeURIComponent(cursor)}`);
export const fetchTask = (id) => call(`/tasks/${id}`);
export const fetchLive = (id) => call(`/tasks/${id}/live`);
export const fetchEvidence = (id) => call(`/tasks/${id}/evidence`);
export const fetchMarker = (code) => call(`/markers/${encodeURIComponent(code)}`);
export const sendOperations = (ops) => post("/ops", { ops });

/** Store a picture; answers its id. */
export function sendPicture(blob, key) {
  return call("/media", { method: "POST", headers: { "Content-Type": blob.type, "Idempotency-Key": key }, body: blob });
}

/** The address of a picture as a blob: an <img> cannot send the token itself. */
export async function pictureUrl(id, width = 800) {
  const response = await fetch(`${BASE}/media/${id}?w=${width}`, { headers: { Authorization: `Bearer ${session()?.token}` }, credentials: "omit" });
  if (!response.ok) throw new FeedError(response.status, null);
  return URL.createObjectURL(await response.blob());
}
