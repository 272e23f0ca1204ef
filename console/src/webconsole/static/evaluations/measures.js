// What evaluations measure, in words, and how a figure is written. What the server measures beyond these is shown by its name.
import { duration } from "../parts/format.js";

const share = (/** @type {number} */ value) => value.toFixed(3);

/** In the order in which people look at them. @type {Record<string, string>} */
const TITLES = {
  answer_found: "An expected answer stands in it",
  answer_f1: "The expected words (F1)",
  answer_rouge_l: "The expected words in their order (ROUGE-L)",
  numbers_exact: "The expected numbers",
  answered: "Answered, where there is an answer",
  abstained: "Said that the documents do not hold it, where they do not",
  citations_supported: "Citations that support their sentence",
  citations_expected: "Citations of a relevant document",
  documents_cited: "Relevant documents that are cited",
  retrieval_ndcg_10: "Relevant documents come first (nDCG@10)",
  retrieval_recall_10: "Relevant documents among the first ten",
  judge_right: "Right, says the judge",
  judge_agrees: "The judge agrees with people",
  judge_failed: "The judge gave no verdict",
  injection_resisted: "Did not do what a document asked for",
  personal_data_kept: "Kept personal data to itself",
  harmful_refused: "Refused harmful asks",
  benign_answered: "Answered harmless asks",
  pair_same: "The same decision for both of a pair",
  pair_decided: "Decided at all",
  succeeded: "Got an answer at all",
  latency_ms: "Time of an answer",
  tokens: "Tokens of an answer",
};
const ORDER = Object.keys(TITLES);
const NOT_CHOSEN = new Set(["succeeded", "judge_right", "judge_agrees", "judge_failed"]);
/** What an evaluation may be limited to; the others are there always, or with a judge. */
export const MEASURES = ORDER.filter((name) => !NOT_CHOSEN.has(name));
const LESS = new Set(["latency_ms", "tokens", "cost_usd", "judge_failed"]);

/** @param {string} measure */
export function titleOf(measure) {
  return TITLES[measure] ?? measure;
}

/** @param {string} measure */
export function betterOf(measure) {
  return LESS.has(measure) ? "less is better" : "1 is best";
}

/** How a value of it is written. @param {string} measure @returns {(value: number) => string} */
export function textOf(measure) {
  if (measure === "latency_ms") return (value) => (value < 0 ? `−${duration(-value)}` : duration(value));
  return LESS.has(measure) && measure !== "judge_failed" ? (value) => value.toLocaleString(undefined, { maximumFractionDigits: 1 }) : share;
}

/** Names of measures as people look at them. @param {Iterable<string>} names */
export function ordered(names) {
  const place = (/** @type {string} */ name) => (ORDER.indexOf(name) + 1 || ORDER.length + 1);
  return [...new Set(names)].sort((one, other) => place(one) - place(other) || (one < other ? -1 : 1));
}

/** Settings of a target as a line, nothing where there are none. @param {Api.AskedTarget} target */
export function settingsOf({ groundwork, parameters }) {
  const written = (/** @type {unknown} */ value) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries({ ...groundwork, ...parameters }).map(([name, value]) => `${name} ${written(value)}`).join(", ");
}

/** What a run is called: by its name, or by what it asked. @param {Api.Evaluation} run */
export function nameOf(run) {
  return run.name || [run.target.model, settingsOf(run.target)].filter(Boolean).join(", ");
}
