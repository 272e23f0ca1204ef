// An answer as text with its citations. What models and documents say is never markup: every piece is a text node.
import { html } from "../app/html.js";
import { codePoints } from "./format.js";

const CONTRADICTION = /^\s*Another source says:/;

/** The answer's lines, with a button in place of each marker.
 * @param {{ text: string, citations: Api.Annotation[], open: (citation: Api.Annotation) => void, opened: Api.Annotation | null }} props */
export function Answer({ text, citations, open, opened }) {
  const points = codePoints(text);
  const ordered = [...citations].sort((a, b) => a.index - b.index);
  const pieces = [];
  let at = 0;
  for (const citation of ordered) {
    if (citation.index < at) continue;
    pieces.push(points.slice(at, citation.index).join(""));
    pieces.push(html`<${Marker} citation=${citation} open=${open} current=${citation === opened} />`);
    at = citation.index + codePoints(citation.marker).length;
  }
  pieces.push(points.slice(at).join(""));
  return html`<div class="answer">${lines(pieces)}</div>`;
}

/** Pieces as lines: one that contradicts another is told apart by a mark and words. @param {any[]} pieces */
function lines(pieces) {
  /** @type {any[][]} */
  const found = [[]];
  for (const piece of pieces) {
    if (typeof piece !== "string") found.at(-1)?.push(piece);
    else piece.split("\n").forEach((part, number) => (number ? found.push([part]) : found.at(-1)?.push(part)));
  }
  return found.map((line) => {
    const isContradiction = typeof line[0] === "string" && CONTRADICTION.test(line[0]);
    return html`<p class=${isContradiction ? "contradiction" : ""}>${line}</p>`;
  });
}

/** @param {{ citation: Api.Annotation, open: (citation: Api.Annotation) => void, current: boolean }} props */
function Marker({ citation, open, current }) {
  const { marker, title, page, supported, quote } = citation;
  const place = `${title}${page ? `, page ${page}` : ""}`;
  const doubt = supported ? "" : "Not supported by its source. ";
  return html`
    <button
      class=${`marker${supported ? "" : " unsupported"}`}
      aria-label=${`${doubt}Source ${marker}: ${place}`}
      aria-pressed=${current}
      title=${`${doubt}${place}\n“${quote}”`}
      onClick=${() => open(citation)}
    >${marker.replace(/[[\]]/g, "")}${supported ? "" : "?"}</button>`;
}
