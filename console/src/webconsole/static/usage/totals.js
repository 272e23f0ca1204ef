// Sums of usage rows, and what can be looked at of them.
import { counted } from "../parts/format.js";
import { dollars, toNano } from "./money.js";

/** @typedef {Api.UsageRow} Row */
/** @typedef {Omit<Row, "cost_usd" | "group"> & { nano: bigint }} Totals */

const COUNTS = /** @type {const} */ ([
  "requests", "prompt_tokens", "completion_tokens", "embedding_tokens", "cached_tokens", "reasoning_tokens",
  "unpriced_requests", "estimated_requests", "cut_requests", "cache_hits", "errors",
]);

/** @param {Row[]} rows @returns {Totals} */
export function totalsOf(rows) {
  const totals = /** @type {any} */ ({ nano: 0n });
  for (const name of COUNTS) totals[name] = rows.reduce((sum, row) => sum + row[name], 0);
  for (const row of rows) totals.nano += toNano(row.cost_usd ?? "0");
  return totals;
}

/** What a tile shows, and how high a bar is. `value` is only for comparing: amounts are exact in `text` alone.
 * @type {{ name: string, title: string, value: (totals: Totals) => number, text: (totals: Totals) => string,
 *    more: (totals: Totals) => string }[]} */
export const MEASURES = [
  { name: "requests", title: "Requests", value: ({ requests }) => requests, text: ({ requests }) => requests.toLocaleString(),
    more: ({ cut_requests: cut }) => (cut ? `${counted(cut, "call")} ended on purpose` : "") },
  { name: "tokens", title: "Tokens", value: tokens, text: (totals) => tokens(totals).toLocaleString(),
    more: (one) => `${short(one.prompt_tokens)} read, ${short(one.completion_tokens)} written, ${short(one.embedding_tokens)} embedded` },
  { name: "cost", title: "Cost", value: ({ nano }) => Number(nano), text: ({ nano }) => dollars(nano),
    more: ({ unpriced_requests: unpriced }) => (unpriced ? `and ${counted(unpriced, "call")} without a known price` : "") },
  { name: "errors", title: "Errors", value: ({ errors }) => errors, text: ({ errors }) => errors.toLocaleString(),
    more: ({ errors, requests }) => share(errors, requests) },
  { name: "cache", title: "From the cache", value: ({ cache_hits: hits }) => hits, text: ({ cache_hits: hits }) => hits.toLocaleString(),
    more: ({ cache_hits: hits, requests }) => share(hits, requests) },
];

/** @param {Totals} totals */
function tokens({ prompt_tokens: read, completion_tokens: written, embedding_tokens: embedded }) {
  return read + written + embedded;
}

/** @param {number} count */
function short(count) {
  return count.toLocaleString(undefined, { notation: "compact", maximumFractionDigits: 1 });
}

/** @param {number} part @param {number} whole */
function share(part, whole) {
  return whole ? `${((part / whole) * 100).toLocaleString(undefined, { maximumFractionDigits: 1 })} % of requests` : "";
}

const HEADS = ["group", "name", ...COUNTS, "cost_usd"];

/** Rows for a spreadsheet. A name that it would take for a formula gets an apostrophe.
 * @param {Row[]} rows @param {(group: string) => string} nameOf */
export function asCsv(rows, nameOf) {
  const cell = (/** @type {unknown} */ value) => `"${String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  const named = rows.map((row) => /** @type {any} */ ({ ...row, name: nameOf(row.group) }));
  return [HEADS, ...named.map((row) => HEADS.map((head) => row[head]))].map((line) => line.map(cell).join(",")).join("\n");
}
