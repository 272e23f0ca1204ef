// Questions of a question set, for a page that asks them.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { counted } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { askedIn } from "./expected.js";

/** A question with the documents that answer it. @typedef {{ question: string, documents: string[] }} Taken */

/** @param {{ most: number, before: () => string, take: (set: string, questions: Taken[], count: number) => void }} props `most`: how many are taken, the first ones of
 * `count`; `before`: what they take the place of, which somebody may have changed meanwhile: then they are not taken */
export function PickSet({ most, before, take }) {
  const sets = useSignal(/** @type {Api.QuestionSet[]} */ ([]));
  const name = useSignal("");
  useEffect(() => {
    // Without the lab there are none: all else works.
    if (may("evaluations:read")) all(["question-sets"]).then((found) => (sets.value = found), () => {});
  }, []);
  if (!sets.value.length) return null;
  const chosen = sets.value.find((set) => set.name === name.value) ?? sets.value[0];
  async function read() {
    const replaced = before();
    try {
      const { data } = await call("GET", ["question-sets", chosen.name, "versions", String(chosen.version), "items"], { query: { limit: most } });
      if (before() !== replaced) return;
      take(chosen.name, data.map((item) => ({ question: askedIn(item).replaceAll("\n", " "), documents: Object.keys(item.documents) })), chosen.questions);
    } catch (error) {
      say(error);
    }
  }
  return html`
    <p class="choices"><label>Question set <select onChange=${(/** @type {any} */ event) => (name.value = event.target.value)}>
      ${sets.value.map((set) => html`<option value=${set.name} selected=${set.name === chosen.name}>${set.name}, ${counted(set.questions, "question")}</option>`)}</select></label>
      <button type="button" class="quiet" onClick=${read}>Take its questions</button></p>`;
}
