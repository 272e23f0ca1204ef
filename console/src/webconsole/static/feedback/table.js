// What people said, as a table: of one answer, or of all.
import { me } from "../api/client.js";
import { html } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { may } from "../app/session.js";
import { when } from "../parts/format.js";

/** @param {{ rows: Api.Feedback[], of?: boolean }} props `of`: whether to say of which answer it is said, too */
export function SaidTable({ rows, of = false }) {
  return html`
    <table class="wide">
      <thead><tr><th>Rating</th><th>Why</th><th>Of</th><th>By</th><th>When</th></tr></thead>
      <tbody>${rows.map((one) => html`
        <tr key=${one.id}>
          <td>${one.rating ?? ""}</td>
          <td data-label="Why">${[choiceOf(one), ...(one.labels ?? []).map((label) => label.replaceAll("_", " ")), one.comment, one.correction && `→ ${one.correction}`].filter(Boolean).join(" · ")}</td>
          <td data-label="Of">${of && html`<${Answered} one=${one} />`}${partOf(one, of)}</td>
          <td data-label="By">${one.user === me.value?.key_id ? "you" : one.user}</td>
          <td data-label="When"><time datetime=${one.created_at}>${when(one.created_at)}</time></td>
        </tr>`)}</tbody>
    </table>`;
}

/** The question, which leads to its record where there is one. @param {{ one: Api.Feedback }} props */
function Answered({ one }) {
  const words = one.question ?? one.model ?? one.answer_id;
  return html`
    ${one.recorded && may("records:read") ? html`<a href=${addressOf("records", one.answer_id)}>${words}</a>` : words}
    ${one.question && one.model && html` <span class="hint">${one.model}</span>`}`;
}

/** What it was compared with. @param {Api.Feedback} one */
function choiceOf({ preferred_over: under, tied_with: tied, other_model: other, rating }) {
  if (under) return `better than that of ${other ?? "another one"}`;
  return tied && `${rating === "down" ? "as bad" : "as good"} as that of ${other ?? "another one"}`;
}

/** @param {Api.Feedback} one @param {boolean} follows whether the answer is named before it */
function partOf({ part }, follows) {
  if (!part) return follows ? "" : "the answer";
  return `${follows ? ", " : ""}${part.citation == null ? `sentence ${Number(part.sentence) + 1}` : `citation ${part.citation + 1}`}`;
}
