// The runs that made questions for a set, followed while somebody looks.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { isLive } from "../evaluations/run-list.js";
import { counted, when } from "../parts/format.js";
import { usePolling } from "../parts/poll.js";

const EVERY_MS = 3000;
const SELDOM_MS = 60_000;
const SHOWN = 20;
const MARKS = /** @type {Record<string, string>} */ ({ running: "processing", limit_reached: "cancelled" });
const WORDS = /** @type {Record<string, string>} */ ({ limit_reached: "budget spent" });

/** Nothing where there are none. @param {{ set: string }} props */
export function GenerationList({ set }) {
  const runs = useSignal(/** @type {Api.Generation[]} */ ([]));
  const problem = useSignal("");
  usePolling(
    async (signal) => {
      try {
        runs.value = (await call("GET", ["question-sets", set, "generations"], { query: { limit: SHOWN }, signal })).data;
        problem.value = "";
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
      }
    },
    runs.value.some(isLive) ? EVERY_MS : SELDOM_MS,
    [set, runs.value.some(isLive)],
  );
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!runs.value.length) return null;
  return html`
    <section aria-labelledby="set-generated"><h2 id="set-generated">Made from documents</h2>
      <table class="wide">
        <thead><tr><th>Collection</th><th>State</th><th>Questions</th><th>Begun</th></tr></thead>
        <tbody>${runs.value.map((run) => html`
          <tr key=${run.id} data-generation=${run.id}>
            <td><a href=${addressOf("evaluations", "generated", set, run.id)}>${run.collection}</a></td>
            <td data-label="State"><${GenerationState} run=${run} /></td>
            <td data-label="Questions">${leftOf(run)}</td>
            <td data-label="Begun"><time datetime=${run.created_at}>${when(run.started_at ?? run.created_at)}</time></td>
          </tr>`)}</tbody>
      </table></section>`;
}

/** How far one is. @param {{ run: Api.Generation }} props */
export function GenerationState({ run }) {
  const { status, done, passages, near_misses: misses, waiting_on: waits } = run;
  return html`
    <span class=${`status ${MARKS[status] ?? status}`}>${WORDS[status] ?? status}</span>
    ${isLive(run) && html` <progress max=${Math.max(1, passages + misses)} value=${done} aria-label=${`Progress of questions from ${run.collection}`}></progress>`}
    <span class="hint"> ${counted(done, "passage")} tried${waits && isLive(run) && `, waits for ${waits}`}</span>`;
}

/** What becomes of its questions. @param {Api.Generation} run */
function leftOf({ kept, kept_near_misses: misses, states }) {
  const left = states.proposed ?? 0;
  return [`${(kept + misses).toLocaleString()} kept`, left > 0 && `${left.toLocaleString()} to be reviewed`, states.saved && `${states.saved.toLocaleString()} saved`].filter(Boolean).join(", ");
}
