// Queries kept as questions of a set, in the form that `groundwork eval` reads. They lie in this browser until somebody signs out, and
// are the tenant's once they are saved as a question set.
import { call, me } from "../api/client.js";
import { html, signal, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { may } from "../app/session.js";
import { download } from "../parts/download.js";
import { counted } from "../parts/format.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";

/** @typedef {{ id: string, question: string, document?: string, answerable?: boolean }} Question */
/** What answers a question: a document, none (not answerable), or nothing that is known. @typedef {Pick<Question, "document" | "answerable">} Answered */
/** @typedef {Pick<import("./ways.js").Hit, "document_id" | "title">} Hit */

const MOST = 1000;
const revision = signal(0);
/** Sets that were added to while this tab is open. */
const added = /** @type {Set<string>} */ (new Set());

/** Each key has a set for each collection. @param {string} collection */
function place(collection) {
  return `groundwork.questions.${me.value?.key_id}.${collection}`;
}

/** Collections for which this key has questions. */
export function savedSets() {
  return Object.keys(localStorage).filter((name) => name.startsWith(place(""))).map((name) => name.slice(place("").length)).sort();
}

/** @param {string} collection @returns {Question[]} */
export function questionsOf(collection) {
  try {
    return JSON.parse(localStorage.getItem(place(collection)) ?? "[]");
  } catch {
    return []; // not written by us
  }
}

/** A query is in a set once: the newest answer counts. @param {string} collection @param {string} question @param {Answered} answered */
function save(collection, question, answered) {
  const others = questionsOf(collection).filter((one) => one.question !== question);
  if (others.length >= MOST) throw new Error(`There are ${MOST} questions already. Download and clear them.`);
  const id = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${others.length}`;
  localStorage.setItem(place(collection), JSON.stringify([...others, { id, question, ...answered }]));
  revision.value += 1;
}

/** @param {string} collection @param {Question[]} [saved] Only these, as they were; without it, all. */
function forget(collection, saved) {
  const lines = new Set(saved?.map((one) => JSON.stringify(one)));
  const rest = saved ? questionsOf(collection).filter((one) => !lines.has(JSON.stringify(one))) : [];
  if (rest.length) localStorage.setItem(place(collection), JSON.stringify(rest));
  else localStorage.removeItem(place(collection));
  revision.value += 1;
}

/** Into the question set that is named like the collection, once; one that it asks already stays there as it is. @param {string} collection */
async function saveAsSet(collection) {
  const kept = questionsOf(collection);
  const items = kept.map(({ question, document, answerable }) => ({ question, answerable, ...(document && { documents: { [document]: 1 } }) }));
  try {
    const saved = await call("POST", ["question-sets"], { json: { name: collection, append: true, duplicates: "skip", items } });
    added.add(saved.name);
    forget(collection, kept);
    const already = saved.skipped.length ? ` It asked ${saved.skipped.length} of yours already.` : "";
    say(`Question set “${saved.name}” has ${counted(saved.questions, "question")} in version ${saved.version}.${already}`);
  } catch (error) {
    say(error);
  }
}

/** @param {{ collection: string, query: string, hit: Hit | null, plain?: boolean, without?: string }} props `hit`: the passage that answers it; `without`: what is
 * said where there is none; `plain`: it was not asked of documents */
export function QuestionSet({ collection, query, hit, plain = false, without = "Open the passage that answers it to save the query as a question, or" }) {
  const sure = useSignal(false);
  revision.value; // drawn again with each change
  const questions = questionsOf(collection);
  const keep = (/** @type {Answered} */ answered, /** @type {string} */ told) => () => {
    try {
      save(collection, query, answered);
      say(told);
    } catch (error) {
      say(error);
    }
  };
  const clear = () => {
    forget(collection);
    sure.value = false;
  };
  const lines = () => questions.map((one) => JSON.stringify(one) + "\n").join("");
  return html`
    <p class="choices" role="group" aria-label="Question set">
      ${hit
        ? html`<button class="quiet" onClick=${keep({ document: hit.document_id, answerable: true }, `Kept: “${hit.title}” answers it.`)}>Save as question: “${hit.title.slice(0, 60)}” answers it</button>`
        : !plain && html`<span class="hint">${without}</span>`}
      ${plain
        ? html`<button class="quiet" onClick=${keep({}, "Kept as a question.")}>Save as question</button>`
        : html`<button class="quiet" onClick=${keep({ answerable: false }, "Kept: no document answers it.")}>Save: no document answers it</button>`}
      ${questions.length > 0 && html`
        <button class="quiet" onClick=${() => download(`${collection}-questions.jsonl`, "application/jsonl", lines())}>Download ${counted(questions.length, "question")}</button>
        ${may("evaluations:write") && html`<button class="quiet" onClick=${() => saveAsSet(collection)}>Add to question set “${collection}”</button>`}
        ${sure.value
          ? html`<span role="alert">Delete them? <button class="danger" onClick=${clear}>Delete them</button> <button class="quiet" ref=${focused} onClick=${() => (sure.value = false)}>Keep</button></span>`
          : html`<button class="quiet" onClick=${() => (sure.value = true)}>Clear</button>`}`}
      ${added.has(collection) && html`<a class="button quiet" href=${addressOf("evaluations", "sets", collection)}>Open question set “${collection}”</a>`}
    </p>`;
}
