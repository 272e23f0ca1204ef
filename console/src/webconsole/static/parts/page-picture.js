// A page of a PDF as a picture, in which the server has marked the cited characters.
import { send } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";

/** @typedef {import("./viewer.js").Place} Place */

/** How far below the upper edge the first mark is scrolled to, as a share of the height that is seen. */
const THIRD = 1 / 3;

/** @param {{ place: Place, page: number, failed: (error: Error) => void }} props */
export function PagePicture({ place, page, failed }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const drawn = useSignal(false);
  const { collection, document_id: id, revision, start = 0, end = 0, quote } = place;
  const spans = end > start && page === place.page ? `${start}-${end}` : "";

  useEffect(() => {
    const stop = new AbortController();
    drawn.value = false;
    draw()
      .then(() => (drawn.value = true))
      .catch((error) => {
        if (!stop.signal.aborted) failed(error);
      });
    return () => stop.abort();

    async function draw() {
      const path = ["collections", collection, "documents", id, "pages", `${page}.png`];
      const answer = await send("GET", path, { query: { spans, revision }, signal: stop.signal });
      const boxes = JSON.parse(answer.headers.get("X-Groundwork-Boxes") ?? "[]");
      const picture = await createImageBitmap(await answer.blob());
      const sheet = canvas.current;
      if (!sheet || stop.signal.aborted) return;
      sheet.width = picture.width;
      sheet.height = picture.height;
      sheet.getContext("2d")?.drawImage(picture, 0, 0);
      sheet.dataset.boxes = JSON.stringify(boxes);
      const seen = box.current;
      if (!seen) return;
      const scale = sheet.clientWidth / sheet.width;
      seen.scrollTop = boxes.length ? boxes[0][1] * scale - seen.clientHeight * THIRD : 0;
    }
  }, [collection, id, revision, page, spans]);

  const says = spans && quote ? `, with these words marked: “${quote}”` : "";
  return html`
    <div class="page" tabindex="0" ref=${box} role="group" aria-label="Page" aria-busy=${!drawn.value}>
      ${!drawn.value && html`<p class="hint" role="status">Drawing the page …</p>`}
      <canvas ref=${canvas} role="img" aria-label=${`Page ${page} of ${place.title}${says}`}></canvas>
    </div>
  `;
}
