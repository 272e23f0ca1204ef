// The ways in which one query is searched beside each other, and what came of each.
import { call } from "../api/client.js";

/** @typedef {{ key: string, test: string, value: string }} Condition */
/** @typedef {{ query: string, limit: number, byDocument: boolean, conditions: Condition[] }} Query */
/** @typedef {Api.Hit} Hit */
/** @typedef {{ name: string, title: string, about: string, score: keyof Api.Scores, options: Pick<Api.SearchOptions, "mode" | "rerank"> }} Way */
/** @typedef {{ state: "searching" | "done" | "failed", hits: Hit[], reply: Api.SearchReply | null, problem: string }} Outcome */

/** `score` is the one that the way goes by. @type {Way[]} */
export const WAYS = [
  { name: "dense", title: "Dense", about: "by meaning", score: "dense", options: { mode: "dense", rerank: false } },
  { name: "sparse", title: "Sparse", about: "by words", score: "sparse", options: { mode: "sparse", rerank: false } },
  { name: "hybrid", title: "Hybrid", about: "both, fused", score: "fused", options: { mode: "hybrid", rerank: false } },
  { name: "reranked", title: "Reranked", about: "hybrid, then read again", score: "rerank", options: { mode: "hybrid", rerank: true } },
];

export const TESTS = ["is", "is not", "at least", "at most"];
const FIELDS = new Set(["document_id", "title", "source", "media_type", "page"]);
const NUMBER = /^-?\d+(\.\d+)?$/;

/** The body of a search. @param {Query} query @param {Way["options"]} options @returns {Omit<Api.SearchOptions, "collections">} */
export function bodyOf({ query, limit, byDocument, conditions }, options) {
  const filter = filterOf(conditions);
  return { query, limit, ...options, ...(byDocument && { group_by: "document" }), ...(filter && { filter }) };
}

/** Conditions as the API's filter; null where there are none. @param {Condition[]} conditions */
export function filterOf(conditions) {
  const must = [];
  const mustNot = [];
  for (const { key, test, value } of conditions) {
    const named = FIELDS.has(key) || key.startsWith("metadata.") ? key : `metadata.${key}`;
    if (test === "is not") mustNot.push({ key: named, match: matches(value) });
    else if (test === "is") must.push({ key: named, match: matches(value) });
    else must.push({ key: named, range: { [test === "at least" ? "gte" : "lte"]: Number(value) } });
  }
  if (!must.length && !mustNot.length) return null;
  return { ...(must.length && { must }), ...(mustNot.length && { must_not: mustNot }) };
}

/** Metadata may hold a number or a text that looks like one: either is meant. @param {string} value */
function matches(value) {
  if (NUMBER.test(value)) return [Number(value), value];
  return value === "true" || value === "false" ? [value === "true", value] : value;
}

/** Search in one way. @param {string} collection @param {Api.SearchOptions} body @param {AbortSignal} signal @returns {Promise<Outcome>} */
export async function search(collection, body, signal) {
  try {
    const reply = await call("POST", ["collections", collection, "search"], { json: body, signal });
    return { state: "done", hits: reply.hits, reply, problem: "" };
  } catch (error) {
    return { state: "failed", hits: [], reply: null, problem: /** @type {Error} */ (error).message };
  }
}

/** What a hit is the same by, in another column. @param {Hit} hit @param {boolean} byDocument */
export function identity(hit, byDocument) {
  return byDocument ? hit.document_id : hit.chunk_id;
}

/** The same search for a terminal. @param {string} address @param {object} body */
export function asCurl(address, body) {
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl -s '${address.replaceAll("'", "%27")}' -H "Authorization: Bearer $GROUNDWORK_API_KEY" -H 'Content-Type: application/json' -d '${json}'`;
}
