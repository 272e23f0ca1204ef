// What is on its way into a collection, what each waits for, and what to do about a failure.
import { html, useSignal } from "../app/html.js";
import { counted } from "../parts/format.js";
import { cancel, clearEnded, isOpen, mayHelp, retry, uploads } from "./uploads.js";

/** @typedef {import("./uploads.js").Upload} Upload */

const SHOWN = 12;
const STAGES = /** @type {Record<string, string>} */ ({
  queued: "in line", parsing: "reading", chunking: "cutting", indexing: "indexing", committing: "finishing",
});
/** What `waiting_on` of a job means. */
export const WAITS = /** @type {Record<string, string>} */ ({
  worker: "waits for a worker", slot: "all workers are busy", tenant_share: "others have their turn", retry: "tries again soon",
  earlier_jobs: "waits for an earlier change", disk: "waits: the disk is full", budget: "waits: the budget is used up",
  open_calls: "waits for calls that were under way", backup: "waits for a backup",
  cancellation: "is tried until it is cancelled",
});

/** What to do about a document that would only fail again. */
export const AS_BEFORE = "It would only fail again: add a file that can be read in its place, or delete the document.";

/** @param {{ collection: string }} props */
export function UploadList({ collection }) {
  const whole = useSignal(false);
  const mine = uploads.value.filter((upload) => upload.collection === collection);
  if (!mine.length) return null;
  const count = (/** @type {(upload: Upload) => boolean} */ is) => mine.filter(is).length;
  const failed = count((upload) => upload.state === "failed");
  const open = count(isOpen);
  const ready = count((upload) => upload.state === "ready");
  // What needs somebody comes first, then what moves.
  const order = ["failed", "sending", "working", "waiting", "cancelled", "ready"];
  const sorted = [...mine].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const shown = whole.value ? sorted : sorted.slice(0, SHOWN);
  return html`
    <section class="uploads" aria-label="On their way">
      <p role="status">
        <progress max=${mine.length} value=${mine.length - open} aria-label="Files that are done"></progress>
        <span>${ready} of ${counted(mine.length, "file")} ready${failed > 0 && html`, <strong>${failed} failed</strong>`}</span>
        ${open === 0 && html`<button class="quiet" onClick=${clearEnded}>Clear</button>`}
      </p>
      <ul>${shown.map((upload) => html`<${Row} key=${upload.key} upload=${upload} />`)}</ul>
      ${sorted.length > shown.length &&
      html`<button class="quiet" onClick=${() => (whole.value = true)}>Show all ${sorted.length}</button>`}
    </section>
  `;
}

/** @param {{ upload: Upload }} props */
function Row({ upload }) {
  const { name, state, problem, job } = upload;
  return html`
    <li class=${state} data-state=${state}>
      <span class="name">${name}</span>
      <span class="state">${said(upload)}</span>
      ${isOpen(upload) && html`<button class="quiet" aria-label=${`Cancel ${name}`} onClick=${() => cancel(upload)}>Cancel</button>`}
      ${mayHelp(upload) && html`<button class="quiet" aria-label=${`Retry ${name}`} onClick=${() => retry(upload)}>Retry</button>`}
      ${problem && html`<span class="problem">${problem}</span>`}
      ${state === "failed" && job && !mayHelp(upload) && html`<span class="problem hint">${AS_BEFORE}</span>`}
    </li>
  `;
}

/** @param {Upload} upload */
function said({ state, sent, job }) {
  if (state === "sending") return `sending, ${Math.round(sent * 100)} %`;
  if (state !== "working" || !job) return state;
  const pages = job.pages_total ? `, page ${job.pages_done} of ${job.pages_total}` : "";
  const place = job.queue_position ? `, number ${job.queue_position}` : "";
  const wait = job.waiting_on ? `, ${WAITS[job.waiting_on] ?? `waits for ${job.waiting_on}`}` : "";
  const left = job.eta_seconds ? `, about ${Math.ceil(job.eta_seconds)} s` : "";
  return `${STAGES[job.stage] ?? job.stage}${pages}${place}${wait}${left}`;
}
