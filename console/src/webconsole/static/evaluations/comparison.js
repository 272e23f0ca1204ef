// Two evaluations, question by question: better, worse, or no difference beyond luck, and which questions changed.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { Whisker, extent } from "../parts/interval.js";
import { Answers } from "./answers.js";
import { nameOf, ordered, textOf, titleOf } from "./measures.js";
import { PickMeasure } from "./pick-measure.js";

const MARKS = /** @type {Record<string, string>} */ ({ better: "ready", worse: "failed", "no difference": "cancelled" });

/** @param {{ run: Api.Evaluation, other: string }} props */
export function Comparison({ run, other }) {
  const found = useSignal(/** @type {Api.EvaluationComparison | null} */ (null));
  const second = useSignal(/** @type {Api.Evaluation | null} */ (null));
  const problem = useSignal("");
  useEffect(() => {
    const wrong = (/** @type {Error} */ error) => void (problem.value = error.message);
    call("GET", ["evaluations", other]).then((one) => void (second.value = one), wrong);
    call("GET", ["evaluations", run.id, "compare"], { query: { with: other } }).then((one) => void (found.value = one), wrong);
  }, [run.status]);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!found.value || !second.value) return html`<p class="hint" role="status">Comparing …</p>`;
  const { measures, same_version: same, same_judge: alike } = found.value;
  const names = [nameOf(run), nameOf(second.value)];
  const titles = /** @type {[string, string]} */ (names[0] === names[1] ? ["This one", "The other"] : names);
  return html`
    <p>Beside <a href=${addressOf("evaluations", "runs", other)}>${names[1]}</a>. “Better” and “worse” are of this one.</p>
    ${!same && html`<p class="problem" role="status">They asked different versions: only questions that are in both are compared.</p>`}
    ${!alike && html`<p class="problem" role="status">They were not judged by the same model and rubric: what a judge said is left out here. All other measures are compared.</p>`}
    ${!measures.length && html`<p class="hint">They share no question that has a measure in both.</p>`}
    ${measures.length > 0 && html`<${Measures} measures=${measures} /><${Changed} run=${run.id} other=${other} names=${ordered(measures.map(({ measure }) => measure))} titles=${titles} />`}`;
}

/** @param {{ measures: Api.MeasureComparison[] }} props */
function Measures({ measures }) {
  const label = useSignal("");
  const labels = [...new Set(measures.map((one) => one.label ?? ""))];
  const some = measures.filter((one) => (one.label ?? "") === label.value);
  const shown = ordered(some.map(({ measure }) => measure)).map((name) => some.find(({ measure }) => measure === name)).filter((one) => one !== undefined);
  return html`
    <section aria-labelledby="differences"><header class="bar-of-choices"><h2 id="differences">Differences</h2>
      ${labels.length > 1 && html`<label>Questions <select onChange=${(/** @type {any} */ event) => (label.value = event.target.value)}>
        ${labels.map((one) => html`<option value=${one} selected=${one === label.value}>${one ? `labelled ${one}` : "all"}</option>`)}</select></label>`}</header>
      <table class="wide">
        <thead><tr><th>Measure</th><th>Verdict</th><th class="number">This · the other</th><th>Difference, 95 %</th><th class="number">Won · lost</th></tr></thead>
        <tbody>${shown.map((one) => {
          const text = textOf(one.measure);
          const figure = { value: one.difference, low: one.low, high: one.high };
          return html`
            <tr key=${one.measure} data-measure=${one.measure} data-verdict=${one.verdict}>
              <th scope="row">${titleOf(one.measure)}</th>
              <td data-label="Verdict"><span class=${`status verdict-of ${MARKS[one.verdict]}`}>${one.words}</span></td>
              <td class="number" data-label="This · the other">${text(one.first)} · ${text(one.second)}</td>
              <td data-label="Difference"><${Whisker} figure=${figure} scale=${extent([{ value: 0 }, figure])} text=${text} zero=${0} /></td>
              <td class="number" data-label="Won · lost">${one.wins} · ${one.losses} of ${one.questions}</td>
            </tr>`;
        })}</tbody>
      </table>
      <p class="hint">One of many measures differs by chance now and then: with twenty, one p below .05 is what luck gives. Times depend on what else the machine did.</p>
    </section>`;
}

/** Which questions got worse and which better by a measure. Better here is worse there. @param {{ run: string, other: string, names: string[], titles: [string, string] }} props */
function Changed({ run, other, names, titles }) {
  const chosen = useSignal(names[0]);
  const measure = names.includes(chosen.value) ? chosen.value : names[0];
  return html`
    <section aria-labelledby="changed"><header class="bar-of-choices"><h2 id="changed">Questions that changed</h2>
      <${PickMeasure} names=${names} chosen=${measure} choose=${(/** @type {string} */ name) => (chosen.value = name)} /></header>
      <h3>For the worse</h3>
      <div data-changed="worse"><${Answers} key=${`worse ${measure}`} id=${run} other=${other} measure=${measure} titles=${titles} none="None." /></div>
      <h3>For the better</h3>
      <div data-changed="better"><${Answers} key=${`better ${measure}`} id=${other} other=${run} measure=${measure} titles=${titles} swapped=${true} none="None." /></div>
    </section>`;
}
