// What is known of a document: metadata, its revisions and what changed, and the chunks that it was cut into.
import { address, all, call, send } from "../api/client.js";
import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../app/html.js";
import { bytes, counted, when } from "../parts/format.js";
import { lineDiff } from "../parts/line-diff.js";
import { say } from "../parts/notice.js";

/** @typedef {import("../parts/viewer.js").Place} Place */
/** The address of a document. @typedef {readonly ["collections", string, "documents", string]} Path */

const CHUNKS = 20;
/** Lines around a change that are shown with it. */
const AROUND = 2;

/** @param {{ row: Api.Document, open: (place: Place) => void, close: () => void }} props */
export function DocumentDetails({ row, open, close }) {
  const revisions = useSignal(/** @type {Api.DocumentRevision[]} */ ([]));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  /** @type {Path} */
  const path = ["collections", row.collection, "documents", row.id];
  useLayoutEffect(() => box.current?.focus(), [row.collection, row.id, row.revision]);
  useEffect(() => {
    all([...path, "revisions"]).then((found) => (revisions.value = found)).catch(say);
  }, [row.collection, row.id, row.revision]);
  return html`
    <aside class="viewer details" aria-label=${`About ${row.title}`} tabindex="-1" ref=${box}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close()}>
      <header>
        <div><h2>${row.title}</h2><p class="hint">${row.collection}</p></div>
        <a class="button quiet" href=${address([...path, "backup"]).href} download=${`${row.id}.zip`}>Export</a>
        <button class="quiet" aria-label="Close what is known of the document" onClick=${close}>✕</button>
      </header>
      <div class="text">
        <${Facts} row=${row} />
        <h3>Revisions</h3>
        <ol class="revisions">
          ${revisions.value.map(
            (one, number) => html`<${Revision} key=${one.revision} row=${row} path=${path} revision=${one}
              before=${revisions.value[number + 1]} open=${open} />`,
          )}
        </ol>
        <${Chunks} row=${row} path=${path} open=${open} />
      </div>
    </aside>
  `;
}

/** @param {{ row: Api.Document }} props */
function Facts({ row }) {
  const metadata = Object.entries(row.metadata ?? {});
  return html`
    <dl>
      <dt>Id</dt><dd><code>${row.id}</code></dd>
      <dt>Source</dt><dd>${row.source}</dd>
      <dt>Type</dt><dd>${row.media_type}</dd>
      <dt>Size</dt><dd>${bytes(row.bytes)}${row.pages ? `, ${counted(row.pages, "page")}` : ""}, ${counted(row.chunks, "chunk")}</dd>
      <dt>SHA-256</dt><dd><code>${row.sha256}</code></dd>
      <dt>Added</dt><dd>${when(row.created_at)}</dd>
    </dl>
    <h3>Metadata</h3>
    ${metadata.length
      ? html`<dl>${metadata.map(([name, value]) => html`<dt>${name}</dt><dd>${typeof value === "string" ? value : JSON.stringify(value)}</dd>`)}</dl>`
      : html`<p class="hint">None. What an upload gives as <code>metadata</code> is here, and filters find it.</p>`}
  `;
}

/** @param {{ row: Api.Document, path: Path, revision: Api.DocumentRevision, before: Api.DocumentRevision | undefined, open: (place: Place) => void }} props */
function Revision({ row, path, revision, before, open }) {
  const changes = useSignal(/** @type {import("../parts/line-diff.js").Run[] | null} */ (null));
  /** @param {number} n */
  async function lines(n) {
    const answer = await send("GET", [...path, "text"], { query: { revision: n } });
    return (await answer.text()).split("\n");
  }
  /** @param {number} earlier */
  async function compare(earlier) {
    try {
      changes.value = lineDiff(await lines(earlier), await lines(revision.revision));
    } catch (error) {
      say(error);
    }
  }
  const place = { collection: row.collection, document_id: row.id, title: revision.title, revision: revision.revision };
  return html`
    <li>
      <p>
        <strong>${revision.revision}</strong>${" "}
        ${revision.active && html`<span class="hint">is found by searches, </span>`}
        <time datetime=${revision.created_at}>${when(revision.created_at)}</time>, ${bytes(revision.bytes)}
        <button class="quiet" onClick=${() => open(place)}>Text</button>
        ${before && html`<button class="quiet" aria-expanded=${changes.value !== null}
          onClick=${() => (changes.value ? (changes.value = null) : compare(before.revision))}>What changed</button>`}
      </p>
      ${changes.value && html`<${Changes} runs=${changes.value} />`}
    </li>
  `;
}

/** @param {{ runs: import("../parts/line-diff.js").Run[] }} props */
function Changes({ runs }) {
  if (runs.every((run) => run.kind === "same")) return html`<p class="hint">The text is the same; the file or its metadata is another.</p>`;
  return html`
    <pre class="changes" tabindex="0">${runs.map(({ kind, lines }) => {
      if (kind === "gone") return html`<del>${`${lines.join("\n")}\n`}</del>`;
      if (kind === "new") return html`<ins>${`${lines.join("\n")}\n`}</ins>`;
      const shown = lines.length > 2 * AROUND ? [...lines.slice(0, AROUND), "…", ...lines.slice(-AROUND)] : lines;
      return `${shown.join("\n")}\n`;
    })}</pre>
  `;
}

/** @param {{ row: Api.Document, path: Path, open: (place: Place) => void }} props */
function Chunks({ row, path, open }) {
  const found = useSignal(/** @type {Api.DocumentChunk[]} */ ([]));
  const cursor = useSignal("");
  const wanted = useSignal(false);
  async function more() {
    try {
      const page = await call("GET", [...path, "chunks"], { query: { limit: CHUNKS, cursor: cursor.value } });
      found.value = [...found.value, ...page.data];
      cursor.value = page.next_cursor ?? "";
      wanted.value = true;
    } catch (error) {
      say(error);
    }
  }
  return html`
    <h3>Chunks</h3>
    ${!wanted.value && html`<button class="quiet" onClick=${more}>Show how it was cut: ${counted(row.chunks, "chunk")}</button>`}
    <ol class="chunks">
      ${found.value.map(
        (chunk) => html`
          <li>
            <p class="hint">
              ${chunk.ordinal + 1}${chunk.page ? `, page ${chunk.page}` : ""}, characters ${chunk.start}–${chunk.end}
              ${chunk.heading_path.length > 0 && html`, ${chunk.heading_path.join(" › ")}`}
              <button class="quiet" onClick=${() => open({ ...chunk, collection: row.collection, document_id: row.id, title: row.title, quote: chunk.text.slice(0, 200) })}>Show in place</button>
            </p>
            <pre>${chunk.text}</pre>
          </li>`,
      )}
    </ol>
    ${cursor.value && html`<button class="quiet" onClick=${more}>More</button>`}
  `;
}
