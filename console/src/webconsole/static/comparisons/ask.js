// The same question to two targets, whole answers that come together: neither its time nor its place tells which one an answer is of.
import { call } from "../api/client.js";

/** @typedef {{ model: string, id: string, text: string, citations: Api.Annotation[], ms: number, tokens?: number, problem: string }} Outcome */
/** A question and its two answers in the order in which they are shown; `hindrance` is why there is nothing to choose.
 * @typedef {{ question: string, answers: [Outcome, Outcome], hindrance: string }} Asked */

/** What is asked, and by which values of a prompt's variables. @typedef {{ model: string, variables: Record<string, string | number | boolean> }} Target */

/** @param {[Target, Target]} targets @param {string} question @param {AbortSignal} signal @returns {Promise<Asked>} */
export async function askBoth(targets, question, signal) {
  const [one, other] = await Promise.all([ask(targets[0], question, signal), ask(targets[1], question, signal)]);
  return { question, answers: crypto.getRandomValues(new Uint8Array(1))[0] % 2 ? [one, other] : [other, one], hindrance: hindranceOf(one, other) };
}

/** @param {Outcome} one @param {Outcome} other */
function hindranceOf(one, other) {
  const failed = [one, other].filter(({ problem }) => problem);
  if (failed.length) return `Not compared. ${failed.map(({ model, problem }) => `${model}: ${problem}`).join(" ")}`;
  const words = (/** @type {string} */ text) => text.split(/\s+/).filter(Boolean).join(" ");
  return words(one.text) === words(other.text) ? "Not compared: both gave the same answer." : "";
}

/** Ask one. What goes wrong is its outcome. @param {Target} target @param {string} question @param {AbortSignal} signal @returns {Promise<Outcome>} */
async function ask({ model, variables }, question, signal) {
  const begun = performance.now();
  const outcome = { model, id: "", text: "", citations: [], ms: 0, problem: "" };
  try {
    const given = Object.keys(variables).length > 0 && { groundwork: { variables } };
    const json = { model, messages: [{ role: /** @type {const} */ ("user"), content: question }], ...given };
    const { id, choices, usage } = await call("POST", ["chat", "completions"], { json, signal });
    const { content, annotations } = choices[0].message;
    const problem = content?.trim() ? "" : "It gave no answer in words.";
    return { ...outcome, id, text: content ?? "", citations: annotations ?? [], ms: performance.now() - begun, tokens: usage?.total_tokens, problem };
  } catch (error) {
    return { ...outcome, problem: /** @type {Error} */ (error).message };
  }
}
