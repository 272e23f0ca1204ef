// One evaluation: how far it is, its figures with intervals, the worst answers, and what it is compared with.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, addressWith, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { download } from "../parts/download.js";
import { counted, when } from "../parts/format.js";
import { Whisker, extent } from "../parts/interval.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { Answers } from "./answers.js";
import { Away } from "./away.js";
import { Comparison } from "./comparison.js";
import { betterOf, nameOf, ordered, settingsOf, textOf, titleOf } from "./measures.js";
import { PickMeasure } from "./pick-measure.js";
import { State, costOf, isLive } from "./run-list.js";

const EVERY_MS = 2000;
const SELDOM_MS = 60_000;
const MOST_ANSWERS = 10_000;

/** @param {{ id: string }} props */
export function Run({ id }) {
  const run = useSignal(/** @type {Api.Evaluation | null} */ (null));
  const problem = useSignal(/** @type {Error | null} */ (null));
  const again = useSignal(0);
  const live = run.value === null || isLive(run.value);
  usePolling(
    async (signal) => {
      try {
        run.value = await call("GET", ["evaluations", id], { signal });
        problem.value = null;
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error);
      }
    },
    live ? EVERY_MS : SELDOM_MS,
    [id, live, again.value],
  );
  const found = run.value;
  if (!found) return problem.value ? html`<${Away} error=${problem.value} />` : html`<p class="hint" role="status">Looking …</p>`;
  const other = route.value.query.get("with") ?? "";
  return html`
    ${problem.value && html`<p class="hint" role="status">${problem.value.message}</p>`}
    <${Head} run=${found} changed=${() => (again.value += 1)} />
    ${other ? html`<${Comparison} key=${other} run=${found} other=${other} />` : html`<${Figures} run=${found} />`}`;
}

/** @param {{ run: Api.Evaluation, changed: () => void }} props */
function Head({ run, changed }) {
  const { id, question_set: set, version, split, target, error } = run;
  const cancel = () => call("POST", ["evaluations", id, "cancel"]).then(changed, say);
  const remove = async () => {
    if (!confirm("Delete this evaluation with its answers for ever?")) return;
    try {
      await call("DELETE", ["evaluations", id]);
      go("evaluations");
    } catch (reason) {
      say(reason);
    }
  };
  const isBeside = route.value.query.has("with");
  const rows = [
    ["Asked", [target.model, settingsOf(target)].filter(Boolean).join(", ")], ["Cost", costOf(run)], ["Judge", judgeOf(run)],
    ...(isBeside ? [] : [["Budget", run.budget_usd && `${run.budget_usd} USD`], ["Tokens", `${run.prompt_tokens.toLocaleString()} read, ${run.completion_tokens.toLocaleString()} written, ${run.embedding_tokens.toLocaleString()} embedded`],
    ["Begun", run.started_at && when(run.started_at)], ["Ended", run.finished_at && when(run.finished_at)], ["Key", run.key_id], ["Evaluation", id]]),
  ];
  return html`
    <header class="bar-of-choices">
      <h1>${nameOf(run)}</h1>
      ${may("evaluations:write") && (isLive(run) ? html`<button onClick=${cancel}>Cancel</button>` : html`<button class="quiet" onClick=${remove}>Delete</button>`)}
      <button class="quiet" disabled=${!run.done} onClick=${() => exportAnswers(run).catch(say)}>Download answers</button>
      <${Other} run=${run} />
    </header>
    <p data-state=${run.status}><${State} run=${run} /></p>
    ${error && html`<p class="problem">${error.message}</p>`}
    <dl><dt>Questions</dt><dd>${set.includes(":") ? `${set}, version ${version}` : html`<a href=${addressWith(["evaluations", "sets", set], { version })}>${set}, version ${version}</a>`}${split && `, split ${split}`}</dd>
      ${rows.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** Who judged, and how far people agree. @param {Api.Evaluation} run */
function judgeOf({ judge }) {
  if (!judge) return null;
  const kappa = judge.kappa == null ? "" : `, κ ${judge.kappa.toFixed(2)}`;
  const agreement = judge.people ? `agrees with people on ${judge.agreed} of ${judge.people}${kappa}` : "nobody has judged the same";
  const left = judge.unreadable ? `; ${judge.unreadable} of what people judged can't be read (metadata.judged), and is left out` : "";
  return `${judge.model} by ${judge.rubric}: ${agreement}${left}`;
}

/** Which evaluation of the same set this one is beside. @param {{ run: Api.Evaluation }} props */
function Other({ run }) {
  const others = useSignal(/** @type {Api.Evaluation[]} */ ([]));
  useEffect(() => {
    call("GET", ["evaluations"], { query: { question_set: run.question_set, limit: 100 } })
      .then(({ data }) => void (others.value = data.filter((one) => one.id !== run.id && one.done > 0)), say);
  }, [run.id]);
  const chosen = route.value.query.get("with") ?? "";
  if (!others.value.length) return null;
  return html`<label>Compare with <select onChange=${(/** @type {any} */ event) => (location.hash = addressWith(["evaluations", "runs", run.id], { with: event.target.value }))}>
    <option value="">(nothing)</option>
    ${others.value.map((one) => html`<option value=${one.id} selected=${one.id === chosen}>${nameOf(one).slice(0, 60)} · version ${one.version} · ${when(one.created_at)}</option>`)}
  </select></label>`;
}

/** @param {{ run: Api.Evaluation }} props */
function Figures({ run }) {
  const names = ordered(Object.keys(run.figures));
  const chosen = useSignal("");
  if (isLive(run)) return html`<p class="hint">Figures are there once it has ended.</p>`;
  if (!names.length) return html`<p class="hint">No question was answered: there are no figures.</p>`;
  const measure = names.includes(chosen.value) ? chosen.value : names[0];
  return html`
    <section aria-labelledby="figures"><h2 id="figures">Figures</h2>
      <p class="hint">Means with 95 % intervals: how far they would move with other questions of the same kind.</p>
      <table class="wide">
        <thead><tr><th>Measure</th><th class="number">Mean</th><th>Interval</th><th class="number">Questions</th></tr></thead>
        <tbody>${names.map((name) => html`<${Line} key=${name} title=${titleOf(name)} hint=${name} measure=${name} figure=${run.figures[name]} scale=${scaleOf(name, [run.figures[name]])} />`)}</tbody>
      </table></section>
    <section aria-labelledby="by-measure"><header class="bar-of-choices"><h2 id="by-measure">By one measure</h2>
        <${PickMeasure} names=${names} chosen=${measure} choose=${(/** @type {string} */ name) => (chosen.value = name)} /></header>
      <${Labels} run=${run} measure=${measure} />
      <h3>The worst answers</h3>
      <${Answers} key=${measure} id=${run.id} measure=${measure} />
    </section>`;
}

/** Shares are on a scale from 0 to 1, all else on its own. @param {string} measure @param {Api.EvaluationFigure[]} figures @returns {[number, number]} */
function scaleOf(measure, figures) {
  if (betterOf(measure) !== "less is better") return [-0.03, 1.03];
  return extent([{ value: 0 }, ...figures.map(({ mean, low, high }) => ({ value: mean, low, high }))]);
}

/** @param {{ title: string, hint?: string, measure: string, figure: Api.EvaluationFigure, scale: [number, number] }} props */
function Line({ title, hint = "", measure, figure: { mean, low, high, questions }, scale }) {
  const text = textOf(measure);
  return html`
    <tr data-measure=${hint || null}>
      <th scope="row">${title}${hint && html` <span class="hint">${hint}</span>`}</th>
      <td class="number" data-label="Mean">${text(mean)}</td>
      <td><${Whisker} figure=${{ value: mean, low, high }} scale=${scale} text=${text} /></td>
      <td class="number" data-label="Questions">${questions.toLocaleString()}</td>
    </tr>`;
}

/** One measure by the labels of questions, on one scale. @param {{ run: Api.Evaluation, measure: string }} props */
function Labels({ run, measure }) {
  const labels = Object.keys(run.by_label).filter((label) => run.by_label[label][measure]);
  if (!labels.length) return null;
  const figures = [run.figures[measure], ...labels.map((label) => run.by_label[label][measure])];
  const scale = scaleOf(measure, figures);
  return html`
    <figure class="chart"><figcaption>${titleOf(measure)}, by label <span class="hint">${betterOf(measure)}</span></figcaption>
      <table class="wide"><tbody>${["all questions", ...labels].map((label, at) => html`
        <${Line} key=${`${at} ${label}`} title=${label} measure=${measure} figure=${figures[at]} scale=${scale} />`)}</tbody></table>
    </figure>`;
}

/** Every question with what was expected and answered, as JSON lines. @param {Api.Evaluation} run */
async function exportAnswers(run) {
  const answers = await all(["evaluations", run.id, "answers"], {}, MOST_ANSWERS);
  download(`${run.id}.jsonl`, "application/jsonl", answers.map((one) => JSON.stringify(one) + "\n").join(""));
  say(`${counted(answers.length, "answer")} downloaded.`);
}
