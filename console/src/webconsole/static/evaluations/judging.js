// By what answers are measured: a judge with its rubric, and which of the measures that need none.
import { html, useSignal } from "../app/html.js";
import { MEASURES, titleOf } from "./measures.js";

const LONGEST_RUBRIC = 8000;

/** A model that says whether each answer is right. @param {{ judges: string[] }} props */
export function Judge({ judges }) {
  const judge = useSignal("");
  return html`
    <label>Judged by a model, beside all that is measured; empty: by none
      <input name="judge" maxlength="200" list="evaluation-judges" value=${judge.value} onInput=${(/** @type {any} */ event) => (judge.value = event.target.value)} autocomplete="off" /></label>
    <datalist id="evaluation-judges">${judges.map((one) => html`<option value=${one}></option>`)}</datalist>
    ${judge.value.trim() && html`
      <label>Rubric: when an answer is right; empty: the one that ships <textarea name="rubric" rows="4" maxlength=${LONGEST_RUBRIC}></textarea></label>
      <p class="hint">It is asked once more for each answer, in this evaluation's budget and cost. How far people agree with it is measured where questions have “judged” in their metadata.</p>`}`;
}

/** Measures to choose from. */
export function Measures() {
  return html`
    <details class="call"><summary>Only some measures</summary>
      <fieldset><legend>Measures; none chosen: all that the questions allow</legend>
        ${MEASURES.map((name) => html`<label><input type="checkbox" name="measure" value=${name} /> ${titleOf(name)}</label>`)}
      </fieldset></details>`;
}

/** What of this an evaluation is started with. @param {FormData} form @returns {Partial<Api.EvaluationCreate>} */
export function measuredBy(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const measures = /** @type {NonNullable<Api.EvaluationCreate["measures"]>} */ (form.getAll("measure").map(String));
  return {
    ...(measures.length && { measures }),
    ...(text("judge") && { judge: { model: text("judge"), ...(text("rubric") && { rubric: text("rubric") }) } }),
  };
}
