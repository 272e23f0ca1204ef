// A document beside an answer: the page of a PDF, or its text, with exactly the cited characters marked.
import { address, call, send } from "../api/client.js";
import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../app/html.js";
import { codePoints, counted } from "./format.js";
import { PagePicture } from "./page-picture.js";

/** @typedef {{ collection: string, document_id: string, title: string, revision?: number, page?: number | null,
 *    start?: number, end?: number, supported?: boolean, quote?: string }} Place */

const PDF = "application/pdf";
/** Code points before and after the span that are shown at first: a book would make the page slow. */
const AROUND = 20_000;

const ADVICE = /** @type {Record<string, string>} */ ({
  document_not_found: "The document has been deleted since. Ask again to be answered from what there is now.",
  revision_not_found: "This revision is no longer kept: the document has changed since. Ask again for its present text.",
});

const UNPLACED = /** @type {Record<string, string>} */ ({
  no_place_on_page: "These words are not written on the page as text (a scan, or a form): here is the text that was read.",
});

/** @param {{ place: Place, close: () => void }} props */
export function Viewer({ place, close }) {
  const text = useSignal(/** @type {string[] | null} */ (null));
  const problem = useSignal("");
  const whole = useSignal(false);
  const pages = useSignal(/** @type {number | null} */ (null));
  const page = useSignal(0);
  const note = useSignal("");
  const mark = useRef(/** @type {HTMLElement | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const { collection, document_id: id, revision } = place;

  useEffect(() => {
    const stop = new AbortController();
    text.value = null;
    problem.value = "";
    whole.value = false;
    pages.value = null;
    call("GET", ["collections", collection, "documents", id], { signal: stop.signal })
      .then((document) => (pages.value = document.media_type === PDF ? (document.pages ?? 0) : 0))
      .catch(() => {
        if (!stop.signal.aborted) pages.value = 0; // its text says what is wrong
      });
    read(collection, id, revision, stop.signal)
      .then((points) => (text.value = points))
      .catch((error) => {
        if (!stop.signal.aborted) problem.value = ADVICE[error.code] ?? error.message;
      });
    return () => stop.abort();
  }, [collection, id, revision]);

  useEffect(() => {
    note.value = "";
    page.value = pages.value && place.page ? Math.min(place.page, pages.value) : 0;
  }, [pages.value, place]);

  useEffect(() => {
    mark.current?.scrollIntoView({ block: "center" });
  }, [text.value, place, page.value, pages.value]);

  useLayoutEffect(() => box.current?.focus(), [place]);

  /** Not every character of a text is one on its page. @param {Error & { code?: string }} error */
  function withoutPicture(error) {
    note.value = UNPLACED[error.code ?? ""] ?? error.message;
    page.value = 0;
  }

  return html`
    <aside class="viewer" aria-label=${`Document ${place.title}`} tabindex="-1" ref=${box}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close()}>
      <header>
        <div>
          <h2>${place.title}</h2>
          <p class="hint">${collection}${revision ? `, revision ${revision}` : ""}${place.page ? `, page ${place.page}` : ""}</p>
        </div>
        ${(pages.value ?? 0) > 0 && html`<${Pages} page=${page} pages=${pages.value} place=${place} />`}
        <a class="button quiet" href=${original(collection, id, revision)} target="_blank" rel="noopener">Original</a>
        <button class="quiet" aria-label="Close the document" onClick=${close}>✕</button>
      </header>
      ${note.value && html`<p class="hint" role="status">${note.value}</p>`}
      ${place.supported === false && html`<p class="problem">The source does not support this sentence.</p>`}
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      ${!problem.value && text.value === null && html`<p class="hint" role="status">Reading …</p>`}
      ${page.value > 0 && !problem.value && html`<${PagePicture} place=${place} page=${page.value} failed=${withoutPicture} />`}
      ${!page.value && pages.value !== null && text.value && html`<${Text} points=${text.value} place=${place} whole=${whole} mark=${mark} />`}
    </aside>
  `;
}

/** Which page is seen, or the text. @param {{ page: { value: number }, pages: number, place: Place }} props */
function Pages({ page, pages, place }) {
  if (!page.value) return html`<button class="quiet" onClick=${() => (page.value = place.page ?? 1)}>Pages</button>`;
  return html`
    <div class="turner" role="group" aria-label="Pages">
      <button class="quiet" aria-label="Page before" disabled=${page.value < 2} onClick=${() => (page.value -= 1)}>‹</button>
      <span>${page.value} of ${pages}</span>
      <button class="quiet" aria-label="Next page" disabled=${page.value >= pages} onClick=${() => (page.value += 1)}>›</button>
      <button class="quiet" onClick=${() => (page.value = 0)}>Text</button>
    </div>
  `;
}

/** @param {{ points: string[], place: Place, whole: { value: boolean }, mark: object }} props */
function Text({ points, place, whole, mark }) {
  const { start = 0, end = 0, supported = true } = place;
  const first = whole.value ? 0 : Math.max(0, start - AROUND);
  const last = whole.value ? points.length : Math.min(points.length, end + AROUND);
  const cut = points.length - (last - first);
  return html`
    <div class="text">
      ${cut > 0 &&
      html`<p class="hint">
        ${counted(cut, "more character")} <button class="quiet" onClick=${() => (whole.value = true)}>Show all</button>
      </p>`}
      <pre tabindex="0">${points.slice(first, start).join("")}${
        end > start &&
        html`<mark ref=${mark} class=${supported ? "" : "unsupported"} data-start=${start} data-end=${end}
          >${points.slice(start, end).join("")}</mark>`
      }${points.slice(Math.max(end, first), last).join("")}</pre>
    </div>
  `;
}

/** @param {string} collection @param {string} id @param {number | undefined} revision @param {AbortSignal} signal */
async function read(collection, id, revision, signal) {
  const answer = await send("GET", ["collections", collection, "documents", id, "text"], { query: { revision }, signal });
  return codePoints(await answer.text());
}

/** @param {string} collection @param {string} id @param {number} [revision] */
function original(collection, id, revision) {
  return address(["collections", collection, "documents", id, "content"], { revision }).href;
}
