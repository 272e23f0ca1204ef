// The documents of a collection, by pages, with what can be done about each.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { bytes, counted, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { changes } from "./uploads.js";

const PAGE = 50;
const STATUSES = ["ready", "processing", "queued", "failed", "cancelled"];

/** @param {{ collection: string, open: (place: import("../parts/viewer.js").Place) => void, show: (row: Api.Document) => void }} props */
export function DocumentTable({ collection, open, show }) {
  const rows = useSignal(/** @type {Api.Document[] | null} */ (null));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const words = useSignal("");
  const status = useSignal("");
  const asked = useRef(0);
  const shown = useRef(0);

  /** What is asked for later is shown, however late the reply to what was asked before. @param {boolean} more */
  async function read(more) {
    const turn = (asked.current += 1);
    const query = { limit: PAGE, q: words.value, status: status.value, cursor: more ? cursor.value : "" };
    try {
      const page = await call("GET", ["collections", collection, "documents"], { query });
      if (turn < shown.current) return;
      shown.current = turn;
      rows.value = more ? [...(rows.value ?? []), ...page.data] : page.data;
      cursor.value = page.next_cursor;
    } catch (error) {
      say(error);
    }
  }
  useEffect(() => {
    read(false);
  }, [collection, words.value, status.value, changes.value]);

  const isFiltered = Boolean(words.value || status.value);
  return html`
    <section aria-label="Documents">
      <div class="filters" role="search">
        <input type="search" placeholder="Title or file name" aria-label="Title or file name"
          onInput=${(/** @type {any} */ event) => (words.value = event.target.value.trim())} />
        <select aria-label="Status" onChange=${(/** @type {any} */ event) => (status.value = event.target.value)}>
          <option value="">Any status</option>
          ${STATUSES.map((one) => html`<option>${one}</option>`)}
        </select>
      </div>
      ${rows.value?.length === 0 &&
      html`<p class="hint">${isFiltered ? "No document is like that." : "Nothing is in here yet: drop a file above."}</p>`}
      ${rows.value !== null &&
      rows.value.length > 0 &&
      html`
        <table>
          <thead>
            <tr><th>Document</th><th>Status</th><th class="number">Pages</th><th class="number">Chunks</th>
              <th class="number">Size</th><th>Changed</th><th><span class="unseen">What to do</span></th></tr>
          </thead>
          <tbody>
            ${rows.value.map((row) => html`<${Row} key=${row.id} row=${row} open=${open} show=${show} />`)}
          </tbody>
        </table>
        ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>More</button>`}
      `}
    </section>
  `;
}

/** @param {{ row: Api.Document, open: (place: import("../parts/viewer.js").Place) => void, show: (row: Api.Document) => void }} props */
function Row({ row, open, show }) {
  const sure = useSignal(false);
  const { id, collection, title, source, status, error, unread_pages: unread } = row;
  const remove = () =>
    call("DELETE", ["collections", collection, "documents", id])
      .then(() => (changes.value += 1))
      .catch(say);
  return html`
    <tr data-status=${status}>
      <td>
        ${row.chunks > 0
          ? html`<button class="link" onClick=${() => open({ collection, document_id: id, title, revision: undefined })}>${title}</button>`
          : title}
        ${source !== title && html`<span class="hint"> ${source}</span>`}
        ${error && html`<p class="problem">${error.message}</p>`}
        ${unread?.length > 0 && html`<p class="hint">${counted(unread.length, "page")} of pictures could not be read.</p>`}
      </td>
      <td><span class=${`status ${status}`}>${status}</span></td>
      <td class="number">${row.pages ?? ""}</td>
      <td class="number">${row.chunks}</td>
      <td class="number">${bytes(row.bytes)}</td>
      <td><time datetime=${row.updated_at}>${when(row.updated_at)}</time></td>
      <td class="actions">
        <button class="quiet" aria-label=${`Details of ${title}`} onClick=${() => show(row)}>Details</button>
        ${may("documents") && status === "failed" && error?.retryable && html`<button class="quiet" onClick=${() => retry(row)}>Retry</button>`}
        ${may("documents") &&
        (sure.value
          ? html`<button class="danger" onClick=${remove}>Delete</button>
              <button class="quiet" onClick=${() => (sure.value = false)}>Keep</button>`
          : html`<button class="quiet" aria-label=${`Delete ${title}`} onClick=${() => (sure.value = true)}>Delete</button>`)}
      </td>
    </tr>
  `;
}

/** Run the job of a document again that failed. @param {Api.Document} row */
async function retry({ id, collection }) {
  try {
    const { data } = await call("GET", ["jobs"], { query: { collection, status: "failed", limit: 200 } });
    const job = data.find((one) => one.document_id === id);
    if (!job) throw new Error("Its job is no longer kept. Add the file again.");
    await call("POST", ["jobs", job.id, "retry"]);
    changes.value += 1;
  } catch (error) {
    say(error);
  }
}
