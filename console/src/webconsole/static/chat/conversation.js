// The conversation that is seen: its turns, how one is asked and answered, and when the server is to keep it.
import { me, newKey } from "../api/client.js";
import { chunks } from "../api/stream.js";
import { effect, signal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { answersFromDocuments } from "../parts/collections.js";
import { say } from "../parts/notice.js";
import { findUnkept, hasUnkept, hasUnkeptOfOthers, keep as keepTurns } from "./storage.js";
import { readThread } from "./threads.js";

/** @typedef {{ id: string, over: string | null, question: string, model: string, text: string, citations: Api.Annotation[], report: Partial<Api.AnswerReport> | null, usage: Api.ChatUsage | null, said: Record<string, string> | null,
 *    state: "asking" | "done" | "stopped" | "failed" | "lost", problem: string, place: { at: number | null }, kept: boolean, refused: boolean }} Turn
 *  `said` is what its headers say of it; `lost`: nobody was there when its answer was whole.
 *  `id` is the answer's, `over` that of another answer to the same question in whose place it came; `place` is where its question stands in the thread, null until it is to be kept; `kept`, whether the server has all of it;
 *  `refused`, whether the key's guardrails keep it from being kept. */

const REMEMBERED_TURNS = 20;
const CONVERSATION = "X-Groundwork-Conversation";
const OTHERS = "Something said with another key could not be kept yet. Sign in with that key in this tab, and it will be.";

export const turns = signal(/** @type {Turn[]} */ ([]));
/** The thread that is seen; null before the first question. */
export const current = signal(/** @type {string | null} */ (null));
let shown = begun(null);
let stopper = new AbortController();
let owner = "";

// Another key has conversations of its own.
effect(() => {
  const key = me.value?.key_id;
  if (!key || key === owner) return;
  owner = key;
  clear();
  if (hasUnkeptOfOthers(key)) say(new Error(OTHERS));
});

// An answer is kept once it is whole, and goes with its tab until then.
askBeforeLeaving(() => isAsking() || hasUnkept());

/** Whether an answer is on its way. */
export function isAsking() {
  return turns.value.at(-1)?.state === "asking";
}

/** Begin anew. An answer that is on its way ends; what has come of it is kept. */
export function clear() {
  leave(null);
}

/** Show a conversation as the server has it, or as it will have it; throws `ApiError`. @param {string} id */
export async function open(id) {
  const conversation = leave(id);
  const unkept = await findUnkept(id);
  if (shown !== conversation) return;
  if (unkept) {
    shown = unkept;
    turns.value = unkept.turns;
    return;
  }
  const { thread, turns: read } = await readThread(id);
  if (shown !== conversation) return;
  conversation.name = String(thread.metadata.conversation ?? id);
  conversation.messages = thread.messages;
  conversation.revision = thread.revision;
  turns.value = read;
}

/** End the answer that is on its way; what has come of it stays. */
export function stop() {
  stopper.abort();
}

/** Go on to another conversation. @param {string | null} id */
function leave(id) {
  stop();
  stopper = new AbortController();
  const last = turns.value.at(-1);
  if (last?.state === "asking") {
    turns.value = [...turns.value.slice(0, -1), { ...last, state: "stopped" }];
    keep();
  }
  turns.value = [];
  current.value = id;
  return (shown = begun(id));
}

/** @param {string | null} id @returns {import("./storage.js").Conversation} */
function begun(id) {
  /** @type {import("./storage.js").Conversation} */
  const conversation = {
    id, name: newKey(), key_id: me.peek()?.key_id, messages: 0, revision: 0, turns: [], sent: null,
    changed(turn, change) {
      if (shown !== conversation) return;
      current.value = conversation.id;
      turns.value = turns.value.map((one) => (one === turn ? { ...one, ...change } : one));
    },
  };
  return conversation;
}

function keep() {
  keepTurns(shown, turns.peek());
}

/** Ask; `instead` is the turn whose place the question takes, and those after it go.
 * @param {string} model @param {string} question @param {number} [instead] */
export async function ask(model, question, instead = turns.value.length) {
  stop();
  stopper = new AbortController();
  const { signal: stopped } = stopper;
  const before = turns.value.slice(0, instead);
  const replaced = turns.value[instead];
  const place = { at: replaced?.place.at ?? null };
  const over = (replaced?.question === question && replaced.id) || null;
  /** @type {Turn} */
  let turn = {
    id: "", over, question, model, text: "", citations: [], report: null, usage: null, said: null, state: "asking", problem: "", place, kept: false, refused: false,
  };
  const show = (/** @type {Partial<Turn>} */ change) => {
    turn = { ...turn, ...change };
    if (stopper.signal === stopped) turns.value = [...turns.value.slice(0, before.length), turn];
  };
  show({});
  keep();
  const headers = { [CONVERSATION]: shown.name };
  const begins = (/** @type {Headers} */ said) => show({ said: Object.fromEntries([...said].filter(([name]) => name.startsWith("x-groundwork-"))) });
  try {
    for await (const chunk of chunks(bodyOf(model, question, before), headers, stopped, begins)) show(taken(turn, chunk));
    show({ state: "done" });
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    show(name === "AbortError" ? { state: "stopped" } : { state: "failed", problem: message });
  }
  if (stopper.signal === stopped) keep();
}

/** The call for an answer. What the guardrails refuse to keep they would refuse here, too.
 * @param {string} model @param {string} question @param {Turn[]} before */
function bodyOf(model, question, before) {
  const said = before
    .filter((turn) => turn.text && !turn.refused)
    .slice(-REMEMBERED_TURNS)
    .flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.text },
    ]);
  const body = { model, messages: [...said, { role: "user", content: question }], stream_options: { include_usage: true } };
  return answersFromDocuments(model) ? { ...body, groundwork: { include: ["sources", "receipt"] } } : body;
}

/** What a chunk adds to a turn. @param {Turn} turn @param {Partial<Api.ChatCompletionChunk>} chunk @returns {Partial<Turn>} */
function taken(turn, chunk) {
  const delta = chunk.choices?.[0]?.delta;
  return {
    id: chunk.id ?? turn.id,
    text: turn.text + (delta?.content ?? ""),
    citations: delta?.annotations ? [...turn.citations, ...delta.annotations] : turn.citations,
    report: chunk.groundwork ?? turn.report,
    usage: chunk.usage ?? turn.usage,
  };
}

/** A turn's answer and its sources as text, for other programs. @param {Turn} turn */
export function withSources(turn) {
  const seen = new Map();
  for (const citation of turn.citations) {
    const page = citation.page ? `, page ${citation.page}` : "";
    seen.set(`${citation.marker} ${citation.quote}`, `${citation.marker} ${citation.title}${page}: “${citation.quote}”`);
  }
  return [turn.text.trim(), ...seen.values()].join("\n\n");
}
