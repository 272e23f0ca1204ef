// Sweeps, newest first, followed while somebody looks.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { when } from "../parts/format.js";
import { usePolling } from "../parts/poll.js";
import { isLive } from "../evaluations/run-list.js";

const EVERY_MS = 3000;
const SELDOM_MS = 60_000;
const SHOWN = 30;
const WORDS = /** @type {Record<string, string>} */ ({ limit_reached: "budget spent" });
const MARKS = /** @type {Record<string, string>} */ ({ running: "processing", limit_reached: "cancelled" });

/** Nothing where there are none. */
export function TrialList() {
  const sweeps = useSignal(/** @type {Api.Trial[]} */ ([]));
  const problem = useSignal("");
  const live = sweeps.value.some(isLive);
  usePolling(
    async (signal) => {
      try {
        sweeps.value = (await call("GET", ["sweeps"], { query: { limit: SHOWN }, signal })).data;
        problem.value = "";
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
      }
    },
    live ? EVERY_MS : SELDOM_MS,
    [live],
  );
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!sweeps.value.length) return null;
  return html`
    <section aria-labelledby="sweeps"><h2 id="sweeps">Search settings that were tried</h2>
      <table class="wide">
        <thead><tr><th>Collection</th><th>Questions</th><th>State</th><th>Found</th><th>Begun</th></tr></thead>
        <tbody>${sweeps.value.map((one) => html`
          <tr key=${one.id} data-sweep=${one.id}>
            <td><a href=${addressOf("evaluations", "sweeps", one.id)}>${one.collection}</a></td>
            <td data-label="Questions">${one.question_set}@${one.version}</td>
            <td data-label="State"><${TrialState} sweep=${one} /></td>
            <td data-label=${one.verdict && "Found"}>${one.verdict}</td>
            <td data-label="Begun"><time datetime=${one.created_at}>${when(one.started_at ?? one.created_at)}</time></td>
          </tr>`)}</tbody>
      </table></section>`;
}

/** How far one is. @param {{ sweep: Api.Trial }} props */
export function TrialState({ sweep }) {
  const { status, done, questions, waiting_on: waits } = sweep;
  return html`
    <span class=${`status ${MARKS[status] ?? status}`}>${WORDS[status] ?? status}</span>
    ${isLive(sweep) && html` <progress max=${questions} value=${done} aria-label="Progress of the sweep"></progress>
      <span class="hint"> ${done.toLocaleString()} of at most ${questions.toLocaleString()} questions${waits && (waits === "index" ? ", builds the next index" : `, waits for ${waits}`)}</span>`}`;
}
