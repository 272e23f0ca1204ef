// The questions of a version, page by page; a correction and a removal make a new version.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { say } from "../parts/notice.js";
import { Expected, askedIn } from "./expected.js";
import { QuestionEditor } from "./question-editor.js";

const PAGE = 20;

/** @param {{ set: Api.QuestionSet, isNewest: boolean, saved: () => Promise<void> }} props */
export function Questions({ set, isNewest, saved }) {
  const { name, version, splits } = set;
  const items = useSignal(/** @type {Api.QuestionRecord[] | null} */ (null));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const split = useSignal("");
  const edited = useSignal(/** @type {string | null} */ (null));
  const problem = useSignal("");
  const mayEdit = isNewest && may("evaluations:write");
  /** @param {boolean} more */
  const read = async (more) => {
    problem.value = "";
    const of = split.value;
    try {
      const query = { split: of, limit: PAGE, cursor: more ? cursor.value : "" };
      const page = await call("GET", ["question-sets", name, "versions", String(version), "items"], { query });
      if (of !== split.value) return;
      items.value = [...(more ? (items.value ?? []) : []), ...page.data];
      cursor.value = page.next_cursor;
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  };
  useEffect(() => void read(false), [split.value]);
  const remove = async (/** @type {Api.QuestionRecord} */ item) => {
    if (!confirm(`Make a version of ${name} without “${askedIn(item).slice(0, 120)}”?`)) return;
    try {
      const made = await call("POST", ["question-sets"], { json: { name, append: true, remove: [item.id] } });
      say(`Version ${made.version} of ${name} is without it.`);
      await saved();
    } catch (error) {
      say(error);
    }
  };
  return html`
    <section aria-labelledby="set-questions">
      <header class="bar-of-choices"><h2 id="set-questions">Questions</h2>
        ${Object.keys(splits).length > 0 && html`<label>Split <select onChange=${(/** @type {any} */ event) => (split.value = event.target.value)}>
          <option value="">all</option>${Object.keys(splits).map((one) => html`<option>${one}</option>`)}</select></label>`}
        ${mayEdit && html`<button class="quiet" onClick=${() => (edited.value = "")}>Add a question</button>`}
        ${!isNewest && html`<span class="hint">An older version: it stays as it is.</span>`}
      </header>
      ${edited.value === "" && html`<${QuestionEditor} set=${name} item=${null} saved=${saved} cancel=${() => (edited.value = null)} />`}
      ${problem.value && html`<p class="problem" role="alert">${problem.value} <button onClick=${() => read(false)}>Try again</button></p>`}
      ${items.value === null && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
      <table class="wide">
        <thead><tr><th>Question</th><th>Expected</th><th>Split and labels</th><th><span class="unseen">What to do</span></th></tr></thead>
        <tbody>${(items.value ?? []).map((item) => edited.value === item.id
          ? html`<tr key=${item.id}><td colspan="4"><${QuestionEditor} set=${name} item=${item} saved=${saved} cancel=${() => (edited.value = null)} /></td></tr>`
          : html`<tr key=${item.id} data-question=${item.id}>
            <td><p class="said">${askedIn(item)}</p>${item.turns && item.turns.length > 1 && html`<p class="hint">the end of a conversation of ${item.turns.length} turns</p>`}</td>
            <td data-label="Expected"><${Expected} item=${item} /></td>
            <td data-label="Split and labels">${item.split ?? html`<span class="hint">none</span>`}${item.labels.map((one) => html` <span class="hint">${one}</span>`)}</td>
            <td class="actions">${mayEdit && html`
              <button class="quiet" aria-label=${`Correct “${askedIn(item).slice(0, 60)}”`} onClick=${() => (edited.value = item.id)}>Correct</button>
              <button class="quiet" aria-label=${`Remove “${askedIn(item).slice(0, 60)}”`} onClick=${() => remove(item)}>Remove</button>`}</td>
          </tr>`)}</tbody>
      </table>
      ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>Show more</button>`}
    </section>`;
}
