// What admins did.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { when } from "../parts/format.js";

const PAGE = 50;

/** The section. */
export function Audit() {
  const entries = useSignal(/** @type {Api.AuditEntry[] | null} */ (null));
  const names = useSignal(/** @type {Map<string, string>} */ (new Map()));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const problem = useSignal("");
  /** @param {boolean} more */
  async function read(more) {
    try {
      const page = await call("GET", ["audit"], { query: { limit: PAGE, cursor: more ? cursor.value : "" } });
      if (!more) names.value = new Map((await all(["keys"], {}, 5000)).map((key) => [key.id, key.name]));
      entries.value = [...(more ? (entries.value ?? []) : []), ...page.data];
      cursor.value = page.next_cursor;
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  }
  useEffect(() => {
    read(false);
  }, []);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!entries.value) return html`<p class="hint" role="status">Looking …</p>`;
  const named = (/** @type {string} */ id) => names.value.get(id) ?? id;
  return html`
    <table class="wide">
      <thead><tr><th>What</th><th>By</th><th>When</th></tr></thead>
      <tbody>
        ${entries.value.map(({ id, at, actor_key_id: actor, action, subject, detail }) => html`
          <tr key=${id} data-action=${action}>
            <td>${action} <strong>${named(subject)}</strong>
              ${Object.keys(detail).length > 0 && html`<details><summary class="hint">Details</summary><pre class="lines">${JSON.stringify(detail, null, 2)}</pre></details>`}</td>
            <td data-label="By">${named(actor)}</td>
            <td data-label="When"><time datetime=${at}>${when(at)}</time></td>
          </tr>`)}
      </tbody>
    </table>
    ${!entries.value.length && html`<p class="hint">Nothing was done yet.</p>`}
    ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>More</button>`}`;
}
