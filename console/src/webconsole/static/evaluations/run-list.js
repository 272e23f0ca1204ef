// Evaluations, newest first, followed while somebody looks.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { may } from "../app/session.js";
import { when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { dollars, toNano } from "../usage/money.js";
import { nameOf, settingsOf } from "./measures.js";

const EVERY_MS = 3000;
const PAGE = 30;
const MOST = 200;
const STATUSES = ["queued", "running", "completed", "failed", "cancelled", "limit_reached"];
const WORDS = /** @type {Record<string, string>} */ ({ limit_reached: "budget spent" });
const MARKS = /** @type {Record<string, string>} */ ({ running: "processing", limit_reached: "cancelled" });

/** @param {{ set?: string }} props Only of this set. */
export function RunList({ set = "" }) {
  const runs = useSignal(/** @type {Api.Evaluation[] | null} */ (null));
  const more = useSignal(false);
  const status = useSignal("");
  const limit = useSignal(PAGE);
  const problem = useSignal("");
  const again = useSignal(0);
  usePolling(
    async (signal) => {
      try {
        const page = await call("GET", ["evaluations"], { query: { question_set: set, status: status.value, limit: limit.value }, signal });
        runs.value = page.data;
        more.value = page.next_cursor !== null && limit.value < MOST;
        problem.value = "";
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
      }
    },
    EVERY_MS,
    [set, status.value, limit.value, again.value],
  );
  const cancel = (/** @type {string} */ id) => call("POST", ["evaluations", id, "cancel"]).then(() => void (again.value += 1), say);
  return html`
    <div class="filters"><select aria-label="State" onChange=${(/** @type {any} */ event) => (status.value = event.target.value)}>
      <option value="">Any state</option>${STATUSES.map((one) => html`<option value=${one}>${WORDS[one] ?? one}</option>`)}</select></div>
    ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
    ${runs.value === null && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
    ${runs.value?.length === 0 && html`<p class="hint">${status.value ? "None is like that." : "There are none yet."}</p>`}
    ${runs.value !== null && runs.value.length > 0 && html`
      <table class="wide">
        <thead><tr><th>Asked</th><th>Questions</th><th>State</th><th class="number">Cost</th><th>Begun</th><th><span class="unseen">What to do</span></th></tr></thead>
        <tbody>${runs.value.map((run) => html`<${Row} key=${run.id} run=${run} withSet=${!set} cancel=${cancel} />`)}</tbody>
      </table>
      ${more.value && html`<button class="quiet" onClick=${() => (limit.value = Math.min(MOST, limit.value + PAGE))}>More</button>`}`}`;
}

/** @param {{ run: Api.Evaluation, withSet: boolean, cancel: (id: string) => void }} props */
function Row({ run, withSet, cancel }) {
  const about = run.name ? [run.target.model, settingsOf(run.target)].filter(Boolean).join(", ") : "";
  return html`
    <tr data-run=${run.id} data-status=${run.status}>
      <td><a href=${addressOf("evaluations", "runs", run.id)}>${nameOf(run)}</a>${about && html`<p class="hint">${about}</p>`}
        ${run.error && html`<p class="problem">${run.error.message}</p>`}</td>
      <td data-label="Questions">${withSet ? `${run.question_set}@${run.version}` : `version ${run.version}`}${run.split && html` <span class="hint">${run.split}</span>`}</td>
      <td data-label="State"><${State} run=${run} /></td>
      <td class="number" data-label=${costOf(run) && "Cost"}>${costOf(run)}</td>
      <td data-label="Begun"><time datetime=${run.created_at}>${when(run.started_at ?? run.created_at)}</time></td>
      <td class="actions">${isLive(run) && may("evaluations:write") && html`<button class="quiet" aria-label=${`Cancel ${nameOf(run)}`} onClick=${() => cancel(run.id)}>Cancel</button>`}</td>
    </tr>`;
}

/** How far one is. @param {{ run: Api.Evaluation }} props */
export function State({ run }) {
  const { status, done, failed, questions, waiting_on: waits } = run;
  return html`
    <span class=${`status ${MARKS[status] ?? status}`}>${WORDS[status] ?? status}</span>
    ${isLive(run) && html` <progress max=${questions} value=${done} aria-label=${`Progress of ${nameOf(run)}`}></progress>`}
    <span class="hint"> ${done.toLocaleString()} of ${questions.toLocaleString()}${failed > 0 && `, ${failed.toLocaleString()} without an answer`}${waits && isLive(run) && `, waits for ${waits}`}</span>`;
}

/** @param {{ status: string }} run */
export function isLive({ status }) {
  return status === "queued" || status === "running";
}

/** What the ledger has of it so far. @param {{ cost_usd: string | null, prompt_tokens: number, status: string }} run */
export function costOf({ cost_usd: cost, prompt_tokens: read, status }) {
  if (cost !== null) return dollars(toNano(cost));
  return status === "queued" || (status === "running" && !read) ? "" : "no price known";
}
