// Jobs of documents and collections: what runs, what waits and why, what failed.
import { call, send } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { AS_BEFORE, WAITS } from "../documents/upload-list.js";

const EVERY_MS = 3000;
const PAGE = 50;
const STATUSES = ["queued", "running", "failed", "ready", "cancelled"];
const KINDS = /** @type {Record<string, string>} */ ({ document: "document", reindex: "reindex", tenant_deletion: "deletion of a tenant" });
const OPEN = new Set(["queued", "running"]);
const DIGEST = /^[0-9a-f]{64}$/;
const ENOUGH = 12;

/** The section. */
export function Jobs() {
  const jobs = useSignal(/** @type {Api.Job[] | null} */ (null));
  const more = useSignal(false);
  const status = useSignal("");
  const limit = useSignal(PAGE);
  const problem = useSignal("");
  const again = useSignal(0);
  usePolling(
    async (signal) => {
      try {
        const page = await call("GET", ["jobs"], { query: { status: status.value, limit: limit.value }, signal });
        jobs.value = page.data;
        more.value = page.next_cursor !== null && limit.value < 200;
        problem.value = "";
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
      }
    },
    EVERY_MS,
    [status.value, limit.value, again.value],
  );
  /** @param {string} id @param {"cancel" | "retry"} what */
  const act = (id, what) => send("POST", ["jobs", id, what]).then(() => (again.value += 1), say);
  return html`
    <div class="filters"><select aria-label="Status" onChange=${(/** @type {any} */ event) => (status.value = event.target.value)}>
      <option value="">Any status</option>${STATUSES.map((one) => html`<option>${one}</option>`)}</select></div>
    ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
    ${jobs.value === null && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
    ${jobs.value?.length === 0 && html`<p class="hint">${status.value ? "No job is like that." : "There are no jobs yet: each document that is added is one."}</p>`}
    ${jobs.value !== null && jobs.value.length > 0 && html`
      <table class="wide">
        <thead><tr><th>Of</th><th>Status</th><th>Stage</th><th>Since</th><th><span class="unseen">What to do</span></th></tr></thead>
        <tbody>${jobs.value.map((job) => html`<${JobRow} key=${job.id} job=${job} act=${act} />`)}</tbody>
      </table>
      ${more.value && html`<button class="quiet" onClick=${() => (limit.value = Math.min(200, limit.value + PAGE))}>More</button>`}`}
  `;
}

/** @param {{ job: Api.Job, act: (id: string, what: "cancel" | "retry") => void }} props */
function JobRow({ job, act }) {
  const { id, kind, collection, document_id: document, status, error, attempts } = job;
  const isOpen = OPEN.has(status);
  const name = job.title || shortened(document) || KINDS[kind];
  return html`
    <tr data-job=${id} data-status=${status}>
      <td>${kind === "document" ? html`<span title=${document}>${name}</span>` : KINDS[kind]} ${collection && html`<a class="hint" href=${addressOf("documents", collection)}>${collection}</a>`}
        ${error && html`<p class="problem">${error.message}</p>`}
        ${status === "failed" && !error?.retryable && html`<p class="hint">${kind === "document" ? AS_BEFORE : "It would only fail again."}</p>`}</td>
      <td><span class=${`status ${status === "running" ? "processing" : status}`}>${status}</span></td>
      <td>${isOpen ? progressOf(job) : attempts > 1 ? `${attempts} attempts` : ""}
        ${status === "running" && html`<progress max="1" value=${job.progress} aria-label=${`Progress of ${name}`}></progress>`}</td>
      <td data-label="Since"><time datetime=${job.created_at}>${when(job.finished_at ?? job.started_at ?? job.created_at)}</time></td>
      <td class="actions">
        ${isOpen && kind !== "tenant_deletion" && html`<button class="quiet" aria-label=${`Cancel the job of ${name}`} onClick=${() => act(id, "cancel")}>Cancel</button>`}
        ${status === "failed" && error?.retryable && html`<button class="quiet" aria-label=${`Retry the job of ${name}`} onClick=${() => act(id, "retry")}>Retry</button>`}
      </td>
    </tr>`;
}

/** A document's id; where nobody gave it one it is a digest, of which the beginning tells it from others. @param {string} id */
function shortened(id) {
  return DIGEST.test(id) ? `${id.slice(0, ENOUGH)}…` : id;
}

/** @param {Api.Job} job */
function progressOf({ stage, pages_done: done, pages_total: total, queue_position: place, waiting_on: waits, eta_seconds: left }) {
  return [
    stage, total && `page ${done} of ${total}`, place && `number ${place}`, waits && (WAITS[waits] ?? `waits for ${waits}`),
    left && `about ${Math.ceil(left)} s`,
  ].filter(Boolean).join(", ");
}
