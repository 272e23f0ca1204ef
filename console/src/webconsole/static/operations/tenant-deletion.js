// Deleting a tenant: what goes with it, and its name typed by whoever means it.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { counted } from "../parts/format.js";
import { focused } from "../parts/keys.js";

const NAMES = 5;

/** @param {{ name: string, keys: Api.Key[], begun: () => void, cancel: () => void }} props `keys`: those that work */
export function Deletion({ name, keys, begun, cancel }) {
  const problem = useSignal("");
  const busy = useSignal(false);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const typed = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("name")).trim();
    problem.value = typed === name ? "" : `Nothing was deleted: “${typed}” is not its name. Type ${name} if you mean it.`;
    if (problem.value) return;
    busy.value = true;
    try {
      await call("DELETE", ["tenants", name]);
      begun();
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="approval" onSubmit=${submit} aria-label=${`Delete ${name}`}>
      <p><strong>Deleting ${name} can't be undone.</strong> At once:</p>
      <ul><li>${keys.length ? `${counted(keys.length, "key")}, ${namesOf(keys)}, can do nothing any more.` : "It has no key that works."}</li></ul>
      <p>And within minutes, for everybody who used them:</p>
      <ul>
        <li>collections with their documents and index, and what is being added;</li>
        <li>agents, prompts, conversations, runs;</li>
        <li>question sets, evaluations, monitors, models that were tuned for it;</li>
        <li>records of answers, feedback, answers in the cache, limits and budgets.</li>
      </ul>
      <p class="hint">What its calls cost stays in the sums of usage, without its name. Backups that were made before still have it, and are the only way back.</p>
      <label>Its name, to say that you mean it <input name="name" required maxlength="63" autocomplete="off" autocapitalize="off" spellcheck="false" ref=${focused} /></label>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="danger" disabled=${busy.value}>Delete ${name} for ever</button> <button type="button" class="quiet" onClick=${cancel}>Keep it</button></p>
    </form>`;
}

/** @param {Api.Key[]} keys */
function namesOf(keys) {
  const names = keys.slice(0, NAMES).map((key) => `“${key.name}”`).join(", ");
  return keys.length > NAMES ? `${names} and others` : names;
}
