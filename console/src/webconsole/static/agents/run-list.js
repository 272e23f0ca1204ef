// Runs, those first that wait for somebody.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { when } from "../parts/format.js";
import { Status, addressOfRun } from "./run.js";

const PAGE = 30;
const STATUSES = ["queued", "running", "waiting_approval", "completed", "failed", "cancelled", "limit_reached"];

/** @param {{ agent: string | null }} props */
export function RunList({ agent }) {
  const runs = useSignal(/** @type {Api.Run[] | null} */ (null));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const status = useSignal("");
  const problem = useSignal("");

  /** How many readings were begun: the reply to any but the last comes too late. */
  const begun = useRef(0);

  /** @param {boolean} more */
  async function read(more) {
    const number = (begun.current += 1);
    problem.value = "";
    const query = { agent: agent ?? "", status: status.value, limit: PAGE };
    try {
      const waiting = more || status.value ? [] : (await call("GET", ["runs"], { query: { ...query, status: "waiting_approval" } })).data;
      const page = await call("GET", ["runs"], { query: { ...query, cursor: more ? cursor.value : "" } });
      if (number !== begun.current) return;
      const known = new Map([...(more ? (runs.value ?? []) : waiting), ...page.data].map((run) => [run.id, run]));
      runs.value = [...known.values()];
      cursor.value = page.next_cursor;
    } catch (error) {
      if (number === begun.current) problem.value = /** @type {Error} */ (error).message;
    }
  }
  useEffect(() => {
    runs.value = cursor.value = null;
    read(false);
  }, [status.value]);

  const shown = runs.value ?? [];
  return html`
    <section aria-labelledby="runs">
      <header class="bar-of-choices">
        <h2 id="runs">Runs</h2>
        <select aria-label="Status" onChange=${(/** @type {any} */ event) => (status.value = event.target.value)}>
          <option value="">Any status</option>
          ${STATUSES.map((one) => html`<option value=${one}>${one.replace("_", " ")}</option>`)}
        </select>
        <button class="quiet" onClick=${() => read(false)}>Read again</button>
      </header>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      ${runs.value === null && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
      ${runs.value !== null && !shown.length && html`<p class="hint">${status.value ? "None is like that." : "There are none yet."}</p>`}
      <ul class="rows">
        ${shown.map((run) => html`
          <li key=${run.id}><a href=${addressOfRun(run)}>
            <span class="name">${run.input.slice(0, 200)}</span>
            <span class="hint">${agent === null && `${run.agent}, `}<${Status} status=${run.status} />, <time datetime=${run.created_at}>${when(run.created_at)}</time></span>
          </a></li>`)}
      </ul>
      ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>Show older ones</button>`}
    </section>`;
}
