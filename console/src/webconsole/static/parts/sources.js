// The passages of an answer, each once.
import { html } from "../app/html.js";

/** A passage to open: of an answer, or one that came closest. @typedef {Api.Annotation | Api.Source} Cited */

/** @param {{ title: string, label?: string, listed: Cited[], open: (cited: any) => void }} props */
export function Sources({ title, label = title, listed, open }) {
  const seen = new Set();
  const once = listed.filter(({ document_id, start }) => {
    const place = `${document_id} ${start}`;
    return !seen.has(place) && seen.add(place);
  });
  if (!once.length) return null;
  return html`
    <section class="sources" aria-label=${label}>
      <h3>${title}</h3>
      <ol>
        ${once.map(
          (source) => html`
            <li>
              <button class="source" onClick=${() => open(source)}>
                ${"marker" in source && html`<span class="marker" aria-hidden="true">${source.marker.replace(/[[\]]/g, "")}</span> `}
                <strong>${source.title}</strong>${source.page && `, page ${source.page}`}
                <span class="quote">${("quote" in source ? source.quote : source.text).slice(0, 240)}</span>
              </button>
            </li>`,
        )}
      </ol>
    </section>`;
}
