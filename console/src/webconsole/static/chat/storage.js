// What of conversations the server lacks, kept turn by turn; what fails for now is tried again, also once another one is seen.
import { me, newKey, reachable } from "../api/client.js";
import { effect } from "../app/html.js";
import { say } from "../parts/notice.js";
import { createThread, deleteThread, keepTurn } from "./threads.js";

/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {{ turn: Turn, key: string, position: number, known: number }} Sent */
/** A conversation: its turns as they were last to be kept, and what the server has of it: its thread, how many messages,
 *  at which revision. `name` is what routes know it by, `sent` a call of which the outcome is not known yet; `key_id`, whose conversation it is.
 * @typedef {{ id: string | null, name: string, key_id: string | undefined, messages: number, revision: number, turns: Turn[], sent: Sent | null,
 *    changed: (turn: Turn, change: Partial<Turn>) => void }} Conversation */

const BLOCKED = "content_blocked";
const AGAIN_MS = 5000;
const ELSEWHERE = "This conversation went on in another tab, so what is said here is not kept. Reload the page to see it.";

/** Conversations of which the server lacks something. */
const unkept = /** @type {Set<Conversation>} */ (new Set());
/** What is being kept, one after the other, so that none is overtaken. */
let queue = Promise.resolve();
let again = 0;

// What could not be kept while the server was away, or nobody was signed in.
effect(() => {
  if (reachable.value && me.value) keepAll();
});

/** Have the server keep these turns of a conversation. @param {Conversation} conversation @param {Turn[]} turns */
export function keep(conversation, turns) {
  conversation.turns = turns;
  unkept.add(conversation);
  keepAll();
}

/** A conversation of this id that the server still lacks something of, after another try.
 * @param {string} id @returns {Promise<Conversation | undefined>} */
export async function findUnkept(id) {
  keepAll();
  await queue;
  return [...unkept].find((conversation) => conversation.id === id && conversation.key_id === me.peek()?.key_id);
}

/** Whether the server still lacks something of any. */
export function hasUnkept() {
  return unkept.size > 0;
}

/** Whether another key has conversations here that could not be kept. @param {string} key_id */
export function hasUnkeptOfOthers(key_id) {
  return [...unkept].some((conversation) => conversation.key_id !== key_id);
}

function keepAll() {
  for (const conversation of unkept) queue = queue.then(() => keepTurns(conversation));
}

/** @param {Conversation} conversation */
async function keepTurns(conversation) {
  while (unkept.has(conversation) && me.peek()?.key_id === conversation.key_id) {
    const turn = conversation.sent?.turn ?? conversation.turns.find((one) => !one.kept && !one.refused);
    if (!turn) {
      unkept.delete(conversation);
      return;
    }
    conversation.sent ??= { turn, key: newKey(), position: placeOf(conversation, turn), known: conversation.revision };
    try {
      await send(conversation, conversation.sent);
    } catch (error) {
      if (!settled(conversation, turn, /** @type {any} */ (error))) return later();
    }
    conversation.sent = null;
    // A question without its answer, which is kept by a call of its own once it is there.
    if (conversation.turns.some((one) => one.place === turn.place && one.state === "asking")) unkept.delete(conversation);
  }
}

/** A server that answers but can't keep anything just now is asked again in a while; one that is away, once it is back. */
function later() {
  clearTimeout(again);
  if (reachable.peek()) again = setTimeout(keepAll, AGAIN_MS);
}

/** Keep one turn. A thread is made for the first that can be kept, which it is called like.
 * @param {Conversation} conversation @param {Sent} sent */
async function send(conversation, { turn, key, position, known }) {
  const id = conversation.id ?? (await createThread(turn.question, conversation.name, key)).id;
  try {
    const { messages, revision } = await keepTurn(id, turn, { position, known }, key);
    Object.assign(conversation, { id, messages, revision });
  } catch (error) {
    const isEmpty = !conversation.id && /** @type {any} */ (error).code === BLOCKED;
    if (isEmpty) await deleteThread(id).catch(() => {});
    throw error;
  }
  change(conversation, turn, { kept: turn.state !== "asking" });
}

/** Whether a failure is an answer; else the same call is made again later.
 * @param {Conversation} conversation @param {Turn} turn @param {{ code: string, status: number, message: string }} error */
function settled(conversation, turn, { code, status, message }) {
  if (code === BLOCKED) {
    if (turn.state !== "asking") change(conversation, turn, { refused: true });
    return true;
  }
  // While the server is away a banner says so; who was signed out reads why.
  if (status && me.peek()) say(new Error(code === "thread_changed" ? ELSEWHERE : `The server could not keep this conversation: ${message}`));
  if (!status || status === 401 || status === 429 || status >= 500 || code === "idempotency_running") return false;
  unkept.delete(conversation);
  return true;
}

/** @param {Conversation} conversation @param {Turn} turn @param {Partial<Turn>} changed */
function change(conversation, turn, changed) {
  conversation.turns = conversation.turns.map((one) => (one === turn ? { ...one, ...changed } : one));
  conversation.changed(turn, changed);
}

/** Where a turn's question stands in the thread: at its end, or where a turn stood that it replaces or that was refused.
 * @param {Conversation} conversation @param {Turn} turn */
function placeOf({ turns, messages }, turn) {
  const before = turns[turns.indexOf(turn) - 1];
  return (turn.place.at ??= (before?.refused ? before.place.at : null) ?? messages);
}
