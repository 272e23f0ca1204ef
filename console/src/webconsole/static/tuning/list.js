// Tuning jobs, newest first, followed while somebody looks.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { when } from "../parts/format.js";
import { usePolling } from "../parts/poll.js";

const EVERY_MS = 3000;
const SELDOM_MS = 60_000;
const SHOWN = 50;
const MARKS = /** @type {Record<string, string>} */ ({ running: "processing", validating_files: "queued" });
const WORDS = /** @type {Record<string, string>} */ ({ validating_files: "looking at the questions" });

/** Nothing where there are none. @param {{ set?: string }} props Only of this set. */
export function TuningList({ set = "" }) {
  const jobs = useSignal(/** @type {Api.FineTuningJob[]} */ ([]));
  const problem = useSignal("");
  const live = jobs.value.some(isAtWork);
  usePolling(
    async (signal) => {
      try {
        const { data } = await call("GET", ["fine_tuning", "jobs"], { query: { limit: SHOWN }, signal });
        jobs.value = data.filter(({ training_file: file }) => !set || file.replace(/^set:|@\d+$/g, "") === set);
        problem.value = "";
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
      }
    },
    live ? EVERY_MS : SELDOM_MS,
    [set, live],
  );
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!jobs.value.length) return null;
  return html`
    <section aria-labelledby="tuned"><h2 id="tuned">Tuned models</h2>
      <table class="wide">
        <thead><tr><th>Model</th><th>Questions</th><th>State</th><th>Begun</th></tr></thead>
        <tbody>${jobs.value.map((job) => html`
          <tr key=${job.id} data-tuned=${job.id}>
            <td><a href=${addressOf("evaluations", "tuned", job.id)}>${job.fine_tuned_model ?? `${job.model}, ${job.method.type}`}</a></td>
            <td data-label="Questions">${job.training_file.slice("set:".length)}</td>
            <td data-label="State"><${TuningState} job=${job} /></td>
            <td data-label="Begun">${moment(job.created_at)}</td>
          </tr>`)}</tbody>
      </table></section>`;
}

/** How far one is, or what came of it. @param {{ job: Api.FineTuningJob }} props */
export function TuningState({ job }) {
  const { status, groundwork: report } = job;
  const came = status === "succeeded" && (job.fine_tuned_model ? "served" : "kept, not served");
  return html`
    <span class=${`status ${MARKS[status] ?? status}`}>${WORDS[status] ?? status}</span>
    ${isAtWork(job) && report.steps > 0 && html` <progress max=${report.steps} value=${report.done} aria-label="Progress of the job"></progress>`}
    <span class="hint"> ${came}${report.waiting_on && isAtWork(job) && `waits for ${report.waiting_on}`}</span>`;
}

/** @param {{ status: string }} job */
export function isAtWork({ status }) {
  return status === "validating_files" || status === "queued" || status === "running";
}

/** @param {number} seconds Unix */
export function moment(seconds) {
  const time = new Date(seconds * 1000).toISOString();
  return html`<time datetime=${time}>${when(time)}</time>`;
}
