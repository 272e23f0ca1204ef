// Calls of the public API. Nothing here may do more than any other client can.
import { signal } from "../app/html.js";

/** Whose session this is; null: nobody is signed in; undefined: not asked yet. */
export const me = signal(/** @type {Api.Me | null | undefined} */ (undefined));
/** Why nobody is signed in any more, for the page that asks for the key. */
export const signedOutBecause = signal("");
/** Whether the server answered when it was last asked. */
export const reachable = signal(true);

/** How often nobody answered. An answer to a call of before the last time says nothing of now. */
let losses = 0;

const ROOT = new URL("../", document.baseURI);
const PROBE_MS = 2000;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const READS = new Set(["GET", "HEAD"]);
const ENDS = new Set(["session_ended", "key_revoked", "key_expired", "unknown_key", "missing_key"]);

/** What the server, or the lack of one, said. `message` tells what to do. */
export class ApiError extends Error {
  /** @param {{ code?: string, message?: string, request_id?: string }} body @param {number} status */
  constructor(body, status) {
    super(body.message || `The server answered ${status}.`);
    this.code = body.code || "unknown";
    this.requestId = body.request_id || "";
    this.status = status;
  }
}

/** An address of the API, in which each part of a path is one segment. @param {readonly string[]} path @param {object} [query] */
export function address(path, query = {}) {
  const url = new URL(["v1", ...path.map(encodeURIComponent)].join("/"), ROOT);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, String(value));
  return url;
}

/** Headers that a call needs. @param {string} method @returns {Record<string, string>} */
export function headersFor(method) {
  const token = me.value?.session?.csrf_token;
  return READS.has(method) || !token ? {} : { "X-CSRF-Token": token };
}

/** A random name for a call or a conversation, of letters alone: among digits, guardrails find cards' numbers.
 * `crypto.randomUUID` is there on pages by HTTPS alone. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(28)), (byte) => LETTERS[byte % LETTERS.length]).join("");
}

/** A call; the answer's body is not read yet. Throws `ApiError`.
 * @param {string} method @param {readonly string[]} path
 * @param {{ query?: object, json?: unknown, body?: BodyInit, headers?: Record<string, string>, signal?: AbortSignal }} [options] */
export async function send(method, path, { query, json, body, headers, signal: stop } = {}) {
  /** @type {RequestInit} */
  const init = { method, headers: { ...headersFor(method), ...headers }, signal: stop, body, credentials: "same-origin" };
  if (json !== undefined) {
    init.body = JSON.stringify(json);
    init.headers = { ...init.headers, "Content-Type": "application/json" };
  }
  const before = losses;
  let answer;
  try {
    answer = await fetch(address(path, query), init);
  } catch (error) {
    if (stop?.aborted) throw error;
    throw lost();
  }
  if (before === losses) reachable.value = true;
  if (!answer.ok) throw refusal(await answer.text(), answer.status);
  return answer;
}

/** Whether each part can do its job, said by a part that can't, too. Throws `ApiError`. @param {AbortSignal} stop @returns {Promise<Api.Health>} */
export async function readiness(stop) {
  const before = losses;
  let answer;
  try {
    answer = await fetch(new URL("readyz", ROOT), { signal: stop });
  } catch (error) {
    throw stop.aborted ? error : lost();
  }
  if (before === losses) reachable.value = true;
  const text = await answer.text();
  if (!text.startsWith("{")) throw refusal(text, answer.status);
  return JSON.parse(text);
}

/** Nobody answers: look again until somebody does. */
function lost() {
  const error = new ApiError({ code: "unreachable", message: "Groundwork can't be reached. Is it running, and are you online?" }, 0);
  losses += 1;
  if (!reachable.value) return error;
  reachable.value = false;
  const probe = async () => {
    try {
      reachable.value = (await fetch(new URL("healthz", ROOT))).ok;
    } catch {
      // still away
    }
    if (!reachable.value) setTimeout(probe, PROBE_MS);
  };
  setTimeout(probe, PROBE_MS);
  return error;
}

/** An error's body as what it says. @param {string} text @param {number} status */
export function refusal(text, status) {
  let body = {};
  try {
    body = JSON.parse(text).error ?? {};
  } catch {
    // a proxy's own page
  }
  const error = new ApiError(body, status);
  if (status === 401 && ENDS.has(error.code) && me.value) {
    signedOutBecause.value = error.message;
    me.value = null;
  }
  return error;
}

/** @param {string} method @param {readonly string[]} path @param {object} [options] */
async function answerOf(method, path, options) {
  const answer = await send(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

/** A call's answer as JSON, null where it has no body. Throws `ApiError`. */
export const call = /** @type {Api.Call} */ (answerOf);

/** @param {readonly string[]} path @param {object} [query] @param {number} [most] */
async function allOf(path, query = {}, most = 1000) {
  const found = [];
  let cursor = "";
  do {
    const page = await answerOf("GET", path, { query: { limit: 200, ...query, cursor } });
    found.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor && found.length < most);
  return found;
}

/** All of a list, up to so many. Throws `ApiError`. */
export const all = /** @type {Api.All} */ (allOf);
