// Conversations as the server keeps them: threads of the API, with a title, two messages a turn.
import { all, call, me } from "../api/client.js";
import { effect, signal } from "../app/html.js";

/** @typedef {import("./conversation.js").Turn} Turn */

const MOST_LISTED = 1000;
const MOST_MESSAGES = 10_000;
const TITLE_LENGTH = 80;

/** This key's conversations, the last to change first; null until they are known. */
export const threads = signal(/** @type {Api.Thread[] | null} */ (null));

effect(() => {
  if (!me.value) threads.value = null;
});

/** Read the list anew. What was kept or deleted here meanwhile stays so. */
export async function readThreads() {
  const before = threads.value ?? [];
  const found = await all(["threads"], { mine: true }, MOST_LISTED);
  const now = threads.value ?? [];
  const changed = now.filter((thread) => !before.includes(thread));
  const known = new Set([...changed, ...before.filter((thread) => !now.includes(thread))].map(({ id }) => id));
  threads.value = sorted([...changed, ...found.filter(({ id, metadata }) => metadata.title && !known.has(id))]);
}

/** @param {Api.Thread[]} list */
function sorted(list) {
  return list.sort((one, other) => other.updated_at.localeCompare(one.updated_at));
}

/** A thread has changed, or is new. @param {Api.Thread} thread */
function entered(thread) {
  threads.value = sorted([thread, ...(threads.value ?? []).filter(({ id }) => id !== thread.id)]);
  return thread;
}

/** A new one that is called like its first question, and listed once something is kept. @param {string} question @param {string} conversation @param {string} key */
export async function createThread(question, conversation, key) {
  const title = question.replace(/\s+/g, " ").slice(0, TITLE_LENGTH);
  return call("POST", ["threads"], { json: { metadata: { title, conversation } }, headers: once(key) });
}

/** The same call again has the same answer. @param {string} key */
function once(key) {
  return { "Idempotency-Key": key };
}

/** @param {string} id @param {string} title */
export async function renameThread(id, title) {
  entered(await call("PATCH", ["threads", id], { json: { metadata: { title } } }));
}

/** @param {string} id */
export async function deleteThread(id) {
  await call("DELETE", ["threads", id]);
  threads.value = (threads.value ?? []).filter((thread) => thread.id !== id);
}

/** Keep a turn at a position, in place of all that stands there and behind, if the thread is still at a revision.
 * @param {string} id @param {Turn} turn @param {{ position: number, known: number }} where @param {string} key */
export async function keepTurn(id, turn, where, key) {
  return entered(await call("POST", ["threads", id, "messages"], { json: { messages: messagesOf(turn), ...where }, headers: once(key) }));
}

/** A conversation's turns. @param {string} id @returns {Promise<{ thread: Api.Thread, turns: Turn[] }>} */
export async function readThread(id) {
  const thread = await call("GET", ["threads", id]);
  return { thread, turns: turnsOf(await all(["threads", id, "history"], {}, MOST_MESSAGES)) };
}

/** @param {Turn} turn @returns {Api.NewMessage[]} */
function messagesOf(turn) {
  const { model, usage, said, state, problem } = turn;
  const asked = { role: /** @type {const} */ ("user"), content: turn.question, metadata: { model } };
  if (state === "asking") return [asked];
  const { text: content, citations: annotations, report } = turn;
  const answered = { role: /** @type {const} */ ("assistant"), content, annotations, metadata: { model, usage, said, state, problem, id: turn.id } };
  return [asked, report ? { ...answered, groundwork: report } : answered];
}

/** Messages, also those of agents' runs, as turns. @param {Api.HistoryMessage[]} messages @returns {Turn[]} */
export function turnsOf(messages) {
  /** @type {Turn[]} */
  const turns = [];
  for (const { role, content, position, annotations, groundwork, metadata: given } of messages) {
    const turn = turns.at(-1);
    const metadata = /** @type {Partial<Turn> | null} */ (given);
    if (role === "user") turns.push(begun(content, position, metadata));
    else if (role === "assistant" && turn) {
      turn.text = [turn.text, content].filter(Boolean).join("\n\n");
      turn.citations = /** @type {Turn["citations"]} */ (/** @type {unknown} */ (annotations ?? []));
      turn.report = groundwork ?? null;
      turn.id = metadata?.id ?? "";
      turn.usage = metadata?.usage ?? null;
      turn.said = metadata?.said ?? null;
      turn.problem = metadata?.problem ?? "";
      turn.state = metadata?.state ?? "done";
    }
  }
  return turns;
}

/** A question without an answer: its tab was closed. @param {string} question @param {number} position @param {Partial<Turn> | null} metadata @returns {Turn} */
function begun(question, position, metadata) {
  const empty = { id: "", over: null, text: "", citations: [], report: null, usage: null, said: null, problem: "" };
  return { ...empty, question, place: { at: position }, model: metadata?.model ?? "", state: "lost", kept: true, refused: false };
}
