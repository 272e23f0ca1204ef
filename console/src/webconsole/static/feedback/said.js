// What this key said of answers: read once, changed as it says more.
import { all, call, me } from "../api/client.js";
import { effect, signal } from "../app/html.js";

/** @typedef {Pick<Api.Feedback, "rating" | "labels" | "comment" | "correction" | "preferred_over">} Judgement */

const MOST = 1000;
/** What was said of answers and their parts, by `keyOf`; null until it is known. */
export const said = signal(/** @type {Map<string, Api.Feedback> | null} */ (null));
let reading = /** @type {Promise<void> | null} */ (null);

// Another key has said other things.
effect(() => {
  if (me.value) return;
  said.value = null;
  reading = null;
});

/** Read it, once. */
export function readSaid() {
  reading ??= all(["feedback"], { mine: true }, MOST).then(
    (found) => {
      // What is said of a sentence, another client said: it is not of the answer, nor of a citation.
      const shown = found.filter((one) => one.part?.sentence == null);
      said.value = new Map(shown.map((one) => [keyOf(one.answer_id, one.part?.citation), one]));
    },
    (error) => {
      reading = null; // the next one reads again
      throw error;
    },
  );
  return reading;
}

/** Which answer is meant, or which of its citations. @param {string} id @param {number | null} [citation] */
export function keyOf(id, citation) {
  return citation == null ? id : `${id} ${citation}`;
}

/** Say what an answer was worth, in place of what was said before. @param {string} id @param {Partial<Judgement>} judgement */
export async function rate(id, judgement) {
  await readSaid(); // else what was said before would be lost
  const { rating = null, labels = [], comment = null, correction = null, preferred_over = null, tied_with = null, blind = false } = said.value?.get(id) ?? {};
  note(await call("POST", ["feedback"], { json: { answer_id: id, rating, labels, comment, correction, preferred_over, tied_with, blind, ...judgement } }));
}

/** Say which of two answers is better, or that none is, without having seen whose they are.
 * @param {Pick<Api.FeedbackCreate, "answer_id" | "preferred_over" | "tied_with" | "rating">} choice */
export async function compare(choice) {
  await readSaid(); // else it would not be known here
  note(await call("POST", ["feedback"], { json: { ...choice, blind: true } }));
}

/** Say that a citation's source is wrong. @param {string} id @param {number} citation */
export async function markWrong(id, citation) {
  note(await call("POST", ["feedback"], { json: { answer_id: id, part: { citation }, labels: ["wrong_source"] } }));
}

/** Take back what was said. @param {Api.Feedback} one */
export async function takeBack(one) {
  await call("DELETE", ["feedback", one.id]);
  const left = new Map(said.value);
  left.delete(keyOf(one.answer_id, one.part?.citation));
  said.value = left;
}

/** @param {Api.Feedback} one */
function note(one) {
  said.value = new Map(said.value).set(keyOf(one.answer_id, one.part?.citation), one);
}
