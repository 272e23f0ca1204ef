// What a set says of a question.
import { html } from "../app/html.js";

const MOST = 600;

/** The words of a question, or of a conversation's last turn. @param {Api.QuestionRecord} item */
export function askedIn(item) {
  return item.question ?? item.turns?.at(-1)?.content ?? "";
}

/** @param {{ item: Api.QuestionRecord | null }} props null: the version is deleted */
export function Expected({ item }) {
  if (!item) return html`<p class="hint">The version of the set is deleted.</p>`;
  const documents = Object.entries(item.documents);
  if (item.answerable === false) return html`<p class="hint">that no document answers it</p>`;
  if (!item.answers.length && !documents.length) return html`<p class="hint">nothing known</p>`;
  return html`
    ${item.answers.map((answer, at) => html`<${Clipped} text=${answer} before=${at ? "or: " : ""} />`)}
    ${documents.length > 0 && html`<p class="hint">from ${documents.map(([id, grade]) => (grade === 1 ? id : `${id} (${grade})`)).join(", ")}</p>`}`;
}

/** A text; of a long one the beginning, and the rest on demand. @param {{ text: string, before?: string }} props */
export function Clipped({ text, before = "" }) {
  if (text.length <= MOST) return html`<p class="said">${before}${text}</p>`;
  return html`<details class="clipped"><summary><span class="said">${before}${text.slice(0, MOST)} …</span></summary><p class="said">${text.slice(MOST)}</p></details>`;
}
