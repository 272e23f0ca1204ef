// What one way of searching found, with each hit's place in the others.
import { html } from "../app/html.js";
import { counted, duration } from "../parts/format.js";
import { Stages } from "../parts/receipt.js";
import { identity } from "./ways.js";

/** @typedef {import("./ways.js").Hit} Hit */
/** @typedef {import("./ways.js").Outcome} Outcome */
/** @typedef {{ title: string, ranks: Map<string, number>, beyond: string }} Other */

const DEGRADED = /** @type {Record<string, string>} */ ({
  dense_unavailable: "The embedding model is away: this went by words alone.",
  query_truncated: "The embedding model read only the beginning of the query.",
  rerank_unavailable: "No rerank model answered: this is the order of the hybrid search. An admin adds one with “groundwork model add … --kind rerank”.",
  rerank_model_unknown: "The collection’s rerank model does not exist any more: this is the order of the hybrid search. Choose another one for the collection.",
  rerank_timeout: "The rerank model was too slow: this is the order of the hybrid search.",
});

/** @param {{ way: import("./ways.js").Way, outcome: Outcome, others: Other[], words: Set<string>, byDocument: boolean, pointed: { value: string },
 *    opened: Hit | null, open: (hit: Hit) => void, copy: () => void }} props */
export function Column({ way, outcome, others, words, byDocument, pointed, opened, open, copy }) {
  const { state, hits, reply, problem } = outcome;
  const id = `way-${way.name}`;
  const best = Math.max(...hits.map((hit) => Math.abs(hit.score)), 0);
  return html`
    <section class="way" aria-labelledby=${id} aria-busy=${state === "searching"} data-way=${way.name} data-state=${state}>
      <header>
        <h2 id=${id}>${way.title} <span class="hint">${way.about}</span></h2>
        ${state === "searching" && html`<p class="hint working" role="status">Searching …</p>`}
        ${reply &&
        html`<details>
          <summary>${duration(reply.timings.total)}, ${counted(hits.length, "hit")}</summary>
          <${Stages} stages=${stagesOf(reply.timings)} />
          <dl>
            <dt>Embedded</dt><dd>${counted(reply.usage.embedding_tokens, "token")}${reply.usage.embedding_model && ` by ${reply.usage.embedding_model}`}</dd>
            ${reply.usage.rerank_tokens > 0 && html`<dt>Reranked</dt><dd>${counted(reply.usage.rerank_tokens, "token")}</dd>`}
            <dt>Revision</dt><dd>${reply.collection_revision}</dd>
          </dl>
          <button class="link" onClick=${copy}>Copy as curl</button>
        </details>`}
      </header>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      ${reply?.degraded.map((/** @type {string} */ what) => html`<p class="hint noted">${DEGRADED[what] ?? what}</p>`)}
      ${state === "done" && !hits.length && html`<p class="hint">Nothing was found this way.</p>`}
      <ol>
        ${hits.map((hit, number) => {
          const key = identity(hit, byDocument);
          return html`<${OneHit} key=${hit.chunk_id} hit=${hit} rank=${number + 1} best=${best} others=${others} words=${words}
            own=${key} pointed=${pointed} isOpen=${hit === opened} open=${open} />`;
        })}
      </ol>
    </section>
  `;
}

/** @param {Record<string, number>} timings */
function stagesOf({ total, ...stages }) {
  return Object.entries(stages).map(([name, ms]) => ({ name, ms }));
}

/** @param {{ hit: Hit, rank: number, best: number, others: Other[], words: Set<string>, own: string, pointed: { value: string },
 *    isOpen: boolean, open: (hit: Hit) => void }} props */
function OneHit({ hit, rank, best, others, words, own, pointed, isOpen, open }) {
  const path = hit.heading_path.filter((heading) => heading !== hit.title).join(" › ");
  const scores = Object.entries(hit.scores).filter(([, score]) => score !== null);
  const point = () => (pointed.value = own);
  return html`
    <li class=${pointed.value === own ? "same" : ""} onMouseEnter=${point} onFocusIn=${point}>
      <button class="hit" data-chunk=${hit.chunk_id} aria-pressed=${isOpen} onClick=${() => open(hit)}>
        <span class="title"><span class="rank">${rank}</span> <strong>${hit.title}</strong>${hit.page && `, page ${hit.page}`}</span>
        ${path && html`<span class="path">${path}</span>`}
        <span class="excerpt">${marked(hit.text, words)}</span>
        <span class="bar"><span style=${{ width: `${best ? (Math.abs(hit.score) / best) * 100 : 0}%` }}></span></span>
        <span class="scores">${scores.map(([name, score]) => html`<span>${name} ${shortened(/** @type {number} */ (score))}</span>`)}</span>
        <span class="elsewhere">
          ${others.map(({ title, ranks, beyond }) => html`<span>${title} ${ranks.get(own) ?? html`<span class="missing">${beyond}</span>`}</span>`)}
        </span>
      </button>
    </li>
  `;
}

/** @param {number} score */
function shortened(score) {
  return Number(score.toPrecision(3)).toString();
}

/** A text's pieces, with those words bold that the query has. @param {string} text @param {Set<string>} words */
function marked(text, words) {
  return text
    .slice(0, 600)
    .split(/([\p{L}\p{N}]+)/u)
    .map((piece) => (words.has(piece.toLowerCase()) ? html`<b>${piece}</b>` : piece));
}
