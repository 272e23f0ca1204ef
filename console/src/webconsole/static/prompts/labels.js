// A prompt's labels: which version each points at, moved and taken back.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { say } from "../parts/notice.js";

/** As a pattern of an input. */
export const LABEL = "[a-z][a-z0-9_\\-]{0,62}";
const PRODUCTION = "production";

/** @param {{ prompt: Api.Prompt, numbers: number[], changed: () => Promise<unknown> }} props `numbers`: of the versions that are there */
export function Labels({ prompt, numbers, changed }) {
  const problem = useSignal("");
  const { name } = prompt;
  /** @param {Promise<unknown>} work @param {string} done */
  async function act(work, done) {
    problem.value = "";
    try {
      await work;
      say(done);
      await changed();
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  }
  const move = (/** @type {string} */ label, /** @type {number} */ version) =>
    act(call("PUT", ["prompts", name, "labels", label], { json: { version } }), `${label} of ${name} is version ${version} now.`);
  const remove = (/** @type {string} */ label) =>
    confirm(`Calls of prompt:${name}@${label} fail from now on.`) &&
    act(call("DELETE", ["prompts", name, "labels", label]), `The label ${label} is gone.`);
  const mayMove = may("agents:write", "prompts:release");
  return html`
    <section aria-labelledby="labels">
      <h2 id="labels">Labels</h2>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <table class="wide">
        <thead><tr><th>Label</th><th>Version</th><th>Before</th><th></th></tr></thead>
        <tbody>${prompt.labels.map(({ label, version, previous }) => html`
          <tr key=${label} data-label-name=${label}>
            <td><strong>${label}</strong>${label === PRODUCTION && html` <span class="hint">is meant where none is named</span>`}</td>
            <td data-label="Version">${version}</td>
            <td data-label="Before">${previous ?? "none"}</td>
            <td>${mayMove && html`
              <${Move} label=${label} version=${version} numbers=${numbers} move=${move} />
              ${previous !== null && numbers.includes(previous) && html`<button class="quiet" aria-label=${`Roll ${label} back to version ${previous}`} onClick=${() => move(label, previous)}>Roll back to ${previous}</button>`}
              ${label !== PRODUCTION && html`<button class="quiet" aria-label=${`Delete the label ${label}`} onClick=${() => remove(label)}>Delete</button>`}`}</td>
          </tr>`)}</tbody>
      </table>
      ${mayMove && html`<${NewLabel} numbers=${numbers} move=${move} />`}
    </section>`;
}

/** @typedef {(label: string, version: number) => unknown} Mover */

/** @param {{ label: string, version: number, numbers: number[], move: Mover }} props */
function Move({ label, version, numbers, move }) {
  const others = numbers.filter((number) => number !== version);
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    move(label, Number(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("version")));
  };
  return others.length > 0 && html`
    <form class="inline" onSubmit=${submit}>
      <select name="version" aria-label=${`Version for ${label}`}>${others.map((number) => html`<option>${number}</option>`)}</select>
      <button aria-label=${`Move ${label}`}>Move</button>
    </form>`;
}

/** @param {{ numbers: number[], move: Mover }} props */
function NewLabel({ numbers, move }) {
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const given = new FormData(form);
    await move(String(given.get("label")), Number(given.get("version")));
    form.reset();
  };
  return html`
    <form class="choices" onSubmit=${submit} aria-label="New label">
      <input name="label" required pattern=${LABEL} aria-label="New label" placeholder="candidate" autocomplete="off" title="Small letters, digits, - and _; it begins with a letter" />
      <label>of version <select name="version">${numbers.map((number) => html`<option>${number}</option>`)}</select></label>
      <button>Add the label</button>
    </form>`;
}
