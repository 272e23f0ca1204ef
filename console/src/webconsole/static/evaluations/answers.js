// Answers of an evaluation, the worst first, with what was expected; beside those of another one where there is one.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { may } from "../app/session.js";
import { Clipped, Expected } from "./expected.js";
import { textOf } from "./measures.js";

const PAGE = 10;

/** @param {{ id: string, measure: string, other?: string, titles?: [string, string], swapped?: boolean, none?: string }} props
 * `titles`: of both columns where another is beside it; `swapped`: that one comes first */
export function Answers({ id, measure, other = "", titles, swapped = false, none = "No question has this measure." }) {
  const answers = useSignal(/** @type {Api.EvaluationAnswer[] | null} */ (null));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const problem = useSignal("");
  const recorded = useSignal(false);
  /** @param {boolean} more */
  const read = async (more) => {
    problem.value = "";
    try {
      const query = { measure, with: other, limit: PAGE, cursor: more ? cursor.value : "" };
      const page = await call("GET", ["evaluations", id, "answers"], { query });
      answers.value = [...(more ? (answers.value ?? []) : []), ...page.data];
      cursor.value = page.next_cursor;
      if (!more) recorded.value = await isRecorded(page.data);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  };
  useEffect(() => void read(false), [id, measure, other]);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value} <button onClick=${() => read(false)}>Try again</button></p>`;
  if (answers.value === null) return html`<p class="hint" role="status">Looking …</p>`;
  if (!answers.value.length) return html`<p class="hint">${none}</p>`;
  const shown = titles ?? ["Answer"];
  return html`
    <table class=${`wide answers${titles ? " two" : ""}`}>
      <thead><tr><th>Question</th><th>Expected</th>${shown.map((title) => html`<th>${title}</th>`)}</tr></thead>
      <tbody>${answers.value.map((one) => html`
        <tr key=${one.question_id} data-question=${one.question_id}>
          <td><${Clipped} text=${one.question} />${one.labels.length > 0 && html`<p class="hint">${one.labels.join(", ")}</p>`}</td>
          <td data-label="Expected"><${Expected} item=${one.known} /></td>
          ${(swapped ? [one.other, one] : [one, one.other]).slice(0, shown.length).map((given, side) => given && html`
            <td data-label=${shown[side]} data-side=${side}><${Given} given=${given} measure=${measure} recorded=${recorded.value} /></td>`)}
        </tr>`)}</tbody>
    </table>
    ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>Show more</button>`}`;
}

/** @param {{ given: Api.GivenAnswer, measure: string, recorded: boolean }} props */
function Given({ given: { answer, error, figures, answer_id: id, report }, measure, recorded }) {
  return html`
    ${error ? html`<p class="problem">${error.message}</p>` : html`<${Clipped} text=${answer || (Array.isArray(report.sources) && report.sources.join(", ")) || "(nothing)"} />`}
    <p class="hint">${figures[measure] !== undefined && textOf(measure)(figures[measure])}${report.abstained === true && ", abstained"}
      ${recorded && id && html` <a href=${addressOf("records", id)}>Its record</a>`}</p>`;
}

/** Whether answers like these are on record: that is for the key that started the evaluation to say, once for all. @param {Api.EvaluationAnswer[]} answers */
async function isRecorded(answers) {
  const id = answers.find(({ answer_id: one }) => one)?.answer_id;
  if (!id || !may("records:read")) return false;
  return call("GET", ["records", id]).then(() => true, () => false);
}
