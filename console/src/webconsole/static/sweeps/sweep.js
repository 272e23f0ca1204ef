// One sweep: each combination beside what serves, what was confirmed, and a click that applies it or takes it back.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf, go } from "../app/router.js";
import { may } from "../app/session.js";
import { Away } from "../evaluations/away.js";
import { ordered, textOf, titleOf } from "../evaluations/measures.js";
import { isLive } from "../evaluations/run-list.js";
import { Whisker, extent, p } from "../parts/interval.js";
import { counted, duration, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { dollars, toNano } from "../usage/money.js";
import { TrialState } from "./list.js";

const EVERY_MS = 2000;
const SELDOM_MS = 60_000;
const MARKS = /** @type {Record<string, string>} */ ({ better: "ready", worse: "failed", "no difference": "cancelled" });

/** @param {{ id: string }} props */
export function TrialPage({ id }) {
  const sweep = useSignal(/** @type {Api.Trial | null} */ (null));
  const problem = useSignal(/** @type {Error | null} */ (null));
  const again = useSignal(0);
  const live = sweep.value === null || isLive(sweep.value);
  usePolling(
    async (signal) => {
      try {
        sweep.value = await call("GET", ["sweeps", id], { signal });
        problem.value = null;
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error);
      }
    },
    live ? EVERY_MS : SELDOM_MS,
    [id, live, again.value],
  );
  const found = sweep.value;
  if (!found) return problem.value ? html`<${Away} error=${problem.value} />` : html`<p class="hint" role="status">Looking …</p>`;
  return html`
    ${problem.value && html`<p class="hint" role="status">${problem.value.message}</p>`}
    <${Head} sweep=${found} renew=${() => void (again.value += 1)} />
    <${Candidates} sweep=${found} />
    ${found.confirmation && html`<${Confirmed} sweep=${found} measures=${found.confirmation.measures} />`}`;
}

/** @param {{ sweep: Api.Trial, renew: () => void }} props */
function Head({ sweep, renew }) {
  const { id, collection, error, verdict, applied, confirmation } = sweep;
  const act = async (/** @type {Promise<unknown>} */ work, /** @type {string} */ done) => {
    try {
      await work;
      say(done);
      renew();
    } catch (reason) {
      say(reason);
    }
  };
  const remove = async () => {
    if (!confirm("Delete this sweep with its evaluations? The collection stays as it is.")) return;
    try {
      await call("DELETE", ["sweeps", id]);
      go("evaluations");
    } catch (reason) {
      say(reason);
    }
  };
  const best = confirmation && sweep.candidates[confirmation.number].words;
  const write = may("evaluations:write");
  const chosen = confirmation && sweep.candidates[confirmation.number].settings;
  const indexed = chosen && (chosen.chunk_size || chosen.embedding_model);
  return html`
    <header class="bar-of-choices"><h1>Search settings of ${collection}</h1>
      ${write && isLive(sweep) && html`<button onClick=${() => act(call("POST", ["sweeps", id, "cancel"]), "The sweep ends.")}>Cancel</button>`}
      ${write && sweep.may_apply && html`<button class="primary" onClick=${() => act(call("POST", ["sweeps", id, "apply"]), `${collection} is searched by ${best}${indexed ? " once its index is built" : " now"}.`)}>Search by ${best}</button>`}
      ${write && applied && !applied.reverted_at && html`<button onClick=${() => act(call("POST", ["sweeps", id, "revert"]), `${collection} is searched as before.`)}>Undo</button>`}
      ${write && !isLive(sweep) && html`<button class="quiet" onClick=${remove}>Delete</button>`}
    </header>
    <p data-state=${sweep.status}><${TrialState} sweep=${sweep} /></p>
    ${verdict && html`<p data-verdict="">${verdict}</p>`}
    ${applied?.job && html`<p class="hint">It is so once <a href=${addressOf("operations")}>its reindex</a> ${applied.job} has ended.</p>`}
    ${applied && html`<p role="status">${applied.reverted_at ? `Applied ${when(applied.applied_at)}, undone ${when(applied.reverted_at)}.` : `Applied ${when(applied.applied_at)}.`}</p>`}
    ${error && html`<p class="problem">${error.message}</p>`}
    <p class="hint">${sweep.question_set}@${sweep.version}: ${counted(sweep.choose_questions, "question")}${sweep.choose_split ? ` of “${sweep.choose_split}”` : ""} to choose by,
      ${counted(sweep.confirm_questions, "other")}${sweep.confirm_split ? ` of “${sweep.confirm_split}”` : ""} to confirm the winner by. ${sweep.cost_usd !== null && `Cost: ${dollars(toNano(sweep.cost_usd))}.`}</p>`;
}

/** @param {{ sweep: Api.Trial }} props */
function Candidates({ sweep }) {
  const { measure, candidates } = sweep;
  const text = textOf(measure);
  const decided = candidates.map(({ against }) => against.find((one) => one.measure === measure));
  const scale = extent([{ value: 0 }, ...decided.flatMap((one) => (one ? [{ value: one.difference, low: one.low, high: one.high }] : []))]);
  return html`
    <section aria-labelledby="combinations"><h2 id="combinations">${titleOf(measure)}</h2>
      <table class="wide">
        <thead><tr><th>Searched</th><th class="number">Mean, 95 %</th><th>Difference to what serves, 95 %</th><th class="number">p</th><th class="number">Time</th><th class="number">Cost</th></tr></thead>
        <tbody>${candidates.map((one, at) => {
          const [figure, latency, difference] = [one.figures[measure], one.figures.latency_ms, decided[at]];
          return html`
            <tr key=${one.number} data-combination=${one.words}>
              <th scope="row">${one.evaluation ? html`<a href=${addressOf("evaluations", "runs", one.evaluation)}>${one.words}</a>` : one.words}${one.number === 0 && html` <span class="hint">serves</span>`}
                ${sweep.confirmation?.number === one.number && html` <span class="hint">chosen</span>`}
                ${Object.entries(one.degraded).map(([what, count]) => html`<p class="problem">${counted(count, "search", "searches")} without ${what}</p>`)}
                ${one.error && html`<p class="problem">${one.error.message}</p>`}</th>
              <td class="number" data-label="Mean">${figure && `${text(figure.mean)} (${text(figure.low)} to ${text(figure.high)})`}</td>
              <td data-label=${difference && "Difference"}>${difference && html`<${Whisker} figure=${{ value: difference.difference, low: difference.low, high: difference.high }} scale=${scale} text=${text} zero=${0} />`}</td>
              <td class="number" data-label=${difference && "p"}>${difference && p(difference.p)}</td>
              <td class="number" data-label="Time">${latency && duration(latency.mean)}</td>
              <td class="number" data-label=${one.cost_usd !== null && "Cost"}>${one.cost_usd !== null && one.evaluation && dollars(toNano(one.cost_usd))}</td>
            </tr>`;
        })}</tbody>
      </table>
      <p class="hint">p accounts for all combinations (Holm): one of many looks better by luck. The one that looks best is asked other questions before it can be applied.</p>
    </section>`;
}

/** @param {{ sweep: Api.Trial, measures: Api.MeasureComparison[] }} props */
function Confirmed({ sweep, measures }) {
  const named = new Map(measures.map((one) => [one.measure, one]));
  const shown = ordered(named.keys()).flatMap((name) => named.get(name) ?? []);
  const best = sweep.candidates[sweep.confirmation?.number ?? 0].words;
  return html`
    <section aria-labelledby="confirmed"><h2 id="confirmed">${best} on questions that did not choose it</h2>
      <table class="wide">
        <thead><tr><th>Measure</th><th>Verdict</th><th class="number">${best} · ${sweep.candidates[0].words}</th></tr></thead>
        <tbody>${shown.map((one) => html`
          <tr key=${one.measure} data-measure=${one.measure} data-verdict=${one.verdict}>
            <th scope="row">${titleOf(one.measure)}</th>
            <td data-label="Verdict"><span class=${`status verdict-of ${MARKS[one.verdict]}`}>${one.words}</span></td>
            <td class="number" data-label="Both">${textOf(one.measure)(one.first)} · ${textOf(one.measure)(one.second)}</td>
          </tr>`)}</tbody>
      </table></section>`;
}
