// What a record asked, asked once more: of another model, agent or collection, or by another prompt. Nothing of the record changes.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { Answer } from "../parts/answer.js";
import { models, readModels } from "../parts/collections.js";
import { duration } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Viewer } from "../parts/viewer.js";

/** @typedef {{ text?: string, citations?: Api.Annotation[], told?: string, problem?: string }} Outcome */

/** @param {{ record: Api.AnswerRecord }} props */
export function Again({ record }) {
  const target = useSignal(record.model);
  const prompt = useSignal("");
  const prompts = useSignal(/** @type {Api.PromptSummary[]} */ ([]));
  const outcome = useSignal(/** @type {Outcome | null} */ (null));
  const going = useSignal(/** @type {AbortController | null} */ (null));
  const viewed = useSignal(/** @type {Api.Annotation | null} */ (null));
  useEffect(() => {
    readModels().catch(say);
    if (may("agents:write", "prompts:release")) all(["prompts"]).then((found) => (prompts.value = found)).catch(say);
    return () => going.peek()?.abort();
  }, []);
  const isRag = target.value.startsWith("rag:");

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const stop = new AbortController();
    going.value = stop;
    viewed.value = null;
    const found = await ask(record, target.value.trim(), isRag ? prompt.value.trim() : "", stop.signal);
    if (going.value !== stop) return;
    going.value = null;
    if (!stop.signal.aborted) outcome.value = found;
  }
  const names = [...models.value.map(({ id }) => id), ...prompts.value.map(({ name }) => `prompt:${name}`)];
  return html`
    <section aria-labelledby="record-again"><h2 id="record-again">Try again with …</h2>
      <form class="adder" onSubmit=${submit} aria-label="Try again">
        <p class="choices">
          <label>Model <input required list="again-models" value=${target.value} onInput=${(/** @type {any} */ event) => (target.value = event.target.value)} /></label>
          <datalist id="again-models">${names.map((name) => html`<option value=${name}></option>`)}</datalist>
          ${isRag && html`<label>By the prompt <input list="again-prompts" placeholder="as usual" value=${prompt.value} onInput=${(/** @type {any} */ event) => (prompt.value = event.target.value)} /></label>
            <datalist id="again-prompts">${prompts.value.map(({ name }) => html`<option value=${name}></option>`)}</datalist>`}
          ${going.value
            ? html`<button type="button" onClick=${() => going.value?.abort()}>Stop</button>`
            : html`<button class="primary">Ask again</button>`}
        </p>
        <p class="hint">The same messages and settings, as a call of this key, with its limits and cost. A version is named like “prompt:desk@2”.</p>
      </form>
      <div aria-live="polite" aria-busy=${going.value !== null}>
        ${outcome.value && (outcome.value.problem
          ? html`<p class="problem" role="alert">${outcome.value.problem}</p>`
          : html`<p class="hint">${outcome.value.told}</p>
            <${Answer} text=${outcome.value.text ?? ""} citations=${outcome.value.citations ?? []} open=${(/** @type {Api.Annotation} */ one) => (viewed.value = one)} opened=${viewed.value} />`)}
      </div>
      ${viewed.value && html`<${Viewer} place=${viewed.value} close=${() => (viewed.value = null)} />`}
    </section>`;
}

/** Ask it. What goes wrong is the outcome.
 * @param {Api.AnswerRecord} record @param {string} model @param {string} prompt @param {AbortSignal} signal @returns {Promise<Outcome>} */
async function ask(record, model, prompt, signal) {
  const begun = performance.now();
  const { groundwork: options, stream: _, stream_options: __, ...parameters } = /** @type {Record<string, any>} */ (record.parameters ?? {});
  const own = { ...(model.split(":")[0] === record.model.split(":")[0] && options), ...(prompt && { prompt }) };
  const json = /** @type {any} */ ({ ...parameters, model, messages: record.messages ?? [], ...(Object.keys(own).length && { groundwork: own }) });
  try {
    const { choices, usage, groundwork } = await call("POST", ["chat", "completions"], { json, signal });
    const { content, annotations, tool_calls: calls } = choices[0].message;
    const told = [model + (prompt && `, by ${prompt}`), duration(performance.now() - begun), usage && `${usage.total_tokens} tokens`,
      groundwork && "abstained" in groundwork && groundwork.abstained && "abstained"];
    return { text: content ?? (calls ? JSON.stringify(calls, null, 2) : ""), citations: annotations ?? [], told: told.filter(Boolean).join(", ") };
  } catch (error) {
    return { problem: /** @type {Error} */ (error).message };
  }
}
