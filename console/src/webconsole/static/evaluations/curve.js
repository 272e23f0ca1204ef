// One measure over the evaluations of a set, as a curve for each thing that was asked.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { when } from "../parts/format.js";
import { extent } from "../parts/interval.js";
import { nameOf, ordered, settingsOf, textOf, titleOf } from "./measures.js";
import { PickMeasure } from "./pick-measure.js";

const MOST = 50;
const WIDTH = 720;
const HEIGHT = 160;
const EDGE = 14;
/** Beside the curve, for the ends of its scale. */
const LEFT = 72;

/** @param {{ set: string }} props */
export function Curve({ set }) {
  const runs = useSignal(/** @type {Api.Evaluation[]} */ ([]));
  const chosen = useSignal("");
  const target = useSignal("");
  useEffect(() => {
    call("GET", ["evaluations"], { query: { question_set: set, status: "completed", limit: MOST } })
      .then(({ data }) => void (runs.value = data.reverse()), () => {}); // the list beside it says what is wrong
  }, [set]);
  const models = [...new Set(runs.value.map((run) => run.target.model))];
  const often = models.findLast((one) => runs.value.filter((run) => run.target.model === one).length > 1);
  const model = models.includes(target.value) ? target.value : (often ?? models.at(-1) ?? "");
  const some = runs.value.filter((run) => run.target.model === model);
  if (runs.value.length < 2) return null;
  const names = ordered(some.flatMap(({ figures }) => Object.keys(figures)));
  const measure = names.includes(chosen.value) ? chosen.value : names[0];
  const points = some.filter(({ figures }) => figures[measure]);
  return html`
    <section aria-labelledby="curve"><header class="bar-of-choices"><h2 id="curve">Over time</h2>
        <${PickMeasure} names=${names} chosen=${measure} choose=${(/** @type {string} */ name) => (chosen.value = name)} />
        <label>Of <select onChange=${(/** @type {any} */ event) => (target.value = event.target.value)}>
          ${models.map((one) => html`<option selected=${one === model}>${one}</option>`)}</select></label></header>
      ${points.length < 2 ? html`<p class="hint">There is one evaluation of it so far.</p>` : html`<${Picture} points=${points} measure=${measure} />`}
    </section>`;
}

/** @param {{ points: Api.Evaluation[], measure: string }} props oldest first */
function Picture({ points, measure }) {
  const text = textOf(measure);
  const figures = points.map((run) => run.figures[measure]);
  const [least, most] = extent(figures.map(({ mean, low, high }) => ({ value: mean, low, high })));
  const x = (/** @type {number} */ at) => LEFT + (at / (points.length - 1)) * (WIDTH - LEFT - EDGE);
  const y = (/** @type {number} */ value) => HEIGHT - EDGE - ((value - least) / (most - least)) * (HEIGHT - 2 * EDGE);
  const [bottom, top] = [Math.min(...figures.map(({ low }) => low)), Math.max(...figures.map(({ high }) => high))];
  const changes = points.flatMap(({ version }, at) => (at && points[at - 1].version !== version ? [(x(at) + x(at - 1)) / 2] : []));
  const said = `${titleOf(measure)}: ${points.length} evaluations, first ${text(figures[0].mean)}, last ${text(figures[figures.length - 1].mean)}`;
  return html`
    <figure class="chart curve">
      <figcaption>${titleOf(measure)}, from ${when(points[0].created_at)} to ${when(points[points.length - 1].created_at)}, with 95 % intervals${
        changes.length > 0 && "; a dashed line is another version of the set: figures on its sides are of different questions"}</figcaption>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${said}>
        ${(top > bottom ? [top, bottom] : [top]).map((value) => html`<text x="0" y=${y(value) + 4}>${text(value)}</text>`)}
        ${changes.map((at) => html`<path class="change" d="M${at} 0V${HEIGHT}" />`)}
        <path class="line" d=${figures.map(({ mean }, at) => `${at ? "L" : "M"}${x(at)} ${y(mean)}`).join("")} />
        ${figures.map(({ mean, low, high }, at) => html`
          <path d="M${x(at) - 4} ${y(low)}h8M${x(at)} ${y(low)}V${y(high)}M${x(at) - 4} ${y(high)}h8" />
          <circle cx=${x(at)} cy=${y(mean)} r="4"><title>${`${nameOf(points[at])}, version ${points[at].version}: ${text(mean)}`}</title></circle>`)}
      </svg>
      <details><summary>As numbers</summary>
        <table class="wide"><thead><tr><th>Evaluation</th><th>Settings</th><th class="number">Version</th><th class="number">Mean</th><th class="number">95 %</th></tr></thead>
          <tbody>${points.map((run, at) => html`<tr key=${run.id}>
            <td><a href=${addressOf("evaluations", "runs", run.id)}>${when(run.created_at)}</a></td><td data-label=${settingsOf(run.target) && "Settings"}>${settingsOf(run.target)}</td>
            <td class="number" data-label="Version">${run.version}</td><td class="number" data-label="Mean">${text(figures[at].mean)}</td>
            <td class="number" data-label="95 %">${text(figures[at].low)} to ${text(figures[at].high)}</td></tr>`)}</tbody></table>
      </details>
    </figure>`;
}
