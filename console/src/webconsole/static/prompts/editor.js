// A new prompt, or a new version of one.
import { call } from "../api/client.js";
import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { models, readModels } from "../parts/collections.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { NUMBERS, bodyOf, draftOf, undeclared, variablesOf } from "./draft.js";
import { LABEL } from "./labels.js";
import { fill } from "./template.js";
import { Preview } from "./values.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./draft.js").Row} Row */
/** @typedef {{ draft: Draft, set: (change: Partial<Draft>) => void }} Part */

const NAME = "[a-z0-9][a-z0-9_\\-]{0,62}";
const ROLES = ["system", "developer", "user", "assistant"];
const TYPES = /** @type {Row["type"][]} */ (["string", "integer", "number", "boolean"]);

/** @param {{ prompt: Api.Prompt | null, copy?: boolean, saved: (made: Api.Prompt) => void, cancel: () => void }} props `prompt`: null for a new one; of a `copy` it is what to begin with */
export function Editor({ prompt, copy = false, saved, cancel }) {
  const draft = useSignal({ ...draftOf(prompt), ...(copy && { name: "" }) });
  const problem = useSignal("");
  const busy = useSignal(false);
  const isChanged = useRef(false);
  const first = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => first.current?.focus(), []); // before the next key: an effect would come after the first letters
  useEffect(() => {
    readModels().catch(say);
    return askBeforeLeaving(() => isChanged.current);
  }, []);
  const set = (/** @type {Partial<Draft>} */ change) => {
    isChanged.current = true;
    draft.value = { ...draft.value, ...change };
  };

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const made = await call("POST", ["prompts"], { json: bodyOf(draft.value) });
      const isOld = prompt && !copy && made.version <= prompt.newest;
      say(isOld ? `Version ${made.version} has the same content: no version was made.` : `Saved as version ${made.version}.`);
      saved(made);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  const isNew = !prompt || copy;
  const title = isNew ? "New prompt" : `New version of ${prompt.name}`;
  const now = draft.value;
  const choices = ["default", ...models.value.filter((one) => one.kind === "chat").map((one) => one.id), now.model];
  const put = (/** @type {keyof Draft} */ name) => (/** @type {any} */ event) => set({ [name]: event.target.value });
  const preview = async (/** @type {Record<string, unknown>} */ values) => {
    const missing = undeclared(draft.value);
    if (missing.length) throw new Error(`No variable is declared for ${missing.map((one) => `{{${one}}}`).join(", ")}.`);
    const presets = Object.fromEntries(Object.entries(variablesOf(draft.value)).map(([name, variable]) => [name, variable.default]));
    const all = /** @type {Record<string, unknown>} */ ({ ...presets, ...values });
    const needed = Object.keys(all).filter((name) => all[name] === null);
    if (needed.length) throw new Error(`Give a value for ${needed.join(", ")}.`);
    return {
      messages: draft.value.messages.map(({ role, content }) => ({ role, content: fill(content, all) })),
      note: draft.value.examples.length ? "Examples come after the first system messages; of a saved version they are shown, too." : "",
    };
  };
  return html`
    <form class="editor prompt-editor" onSubmit=${submit} aria-label=${title}>
      <h2>${title}</h2>
      ${isNew && html`<label>Name <input required pattern=${NAME} value=${now.name} onInput=${put("name")} ref=${first} autocomplete="off" title="Small letters, digits, - and _; it begins with a letter or a digit" /></label>`}
      <label>Description <input maxlength="500" value=${now.description} onInput=${put("description")} ref=${isNew ? null : first} /></label>
      <label>Model <select onChange=${put("model")}>${[...new Set(choices)].map((one) => html`<option selected=${one === now.model}>${one}</option>`)}</select></label>
      <${Messages} draft=${now} set=${set} />
      <${Variables} draft=${now} set=${set} />
      <details><summary>Examples (${now.examples.length})</summary><${Examples} draft=${now} set=${set} /></details>
      <details><summary>Parameters, output schema, tools</summary><${Rest} draft=${now} set=${set} /></details>
      <details><summary>Preview</summary><${Preview} variables=${shownVariables(now)} fill=${preview} /></details>
      <label>Label for this version <input value=${now.label} onInput=${put("label")} placeholder="none" pattern=${LABEL} autocomplete="off" title="Small letters, digits, - and _; it begins with a letter" /></label>
      <p class="hint">${isNew ? "The first version is in production from the start." : "It is used where a label says so: production stays where it is."}</p>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Save</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** Of a draft, whose defaults may be half typed. @param {Draft} draft @returns {import("./template.js").Variables} */
function shownVariables({ variables }) {
  return Object.fromEntries(variables.map(({ name, type, required, preset, description }) => [name, { type, default: required ? null : preset, description }]));
}

/** A list without one, or with one changed. @template T @param {T[]} list @param {number} at @param {Partial<T>} [change] */
function changed(list, at, change) {
  return change ? list.map((one, number) => (number === at ? { ...one, ...change } : one)) : list.filter((_, number) => number !== at);
}

/** @param {Part} props */
function Messages({ draft: { messages }, set }) {
  const change = (/** @type {number} */ at, /** @type {Partial<Api.PromptMessage>} */ what) => set({ messages: changed(messages, at, what) });
  return html`
    <fieldset>
      <legend>Messages</legend>
      <p class="hint">${"{{name}}"} is a variable's place; ${"\\{{"} two braces that stay. The caller's own messages come after these.</p>
      ${messages.map(({ role, content }, at) => html`
        <div class="message" key=${at}>
          <select aria-label=${`Role of message ${at + 1}`} onChange=${(/** @type {any} */ event) => change(at, { role: event.target.value })}>
            ${ROLES.map((one) => html`<option selected=${one === role}>${one}</option>`)}
          </select>
          ${messages.length > 1 && html`<button type="button" class="quiet" aria-label=${`Remove message ${at + 1}`} onClick=${() => set({ messages: changed(messages, at) })}>Remove</button>`}
          <textarea aria-label=${`Text of message ${at + 1}`} rows=${Math.min(20, Math.max(4, content.split("\n").length + 1))} value=${content}
            onInput=${(/** @type {any} */ event) => change(at, { content: event.target.value })}></textarea>
        </div>`)}
      <p><button type="button" onClick=${() => set({ messages: [...messages, { role: "user", content: "" }] })}>Add a message</button></p>
    </fieldset>`;
}

/** @param {Part} props */
function Variables({ draft, set }) {
  const { variables } = draft;
  const change = (/** @type {number} */ at, /** @type {Partial<Row>} */ what) => set({ variables: changed(variables, at, what) });
  const add = (/** @type {string} */ name) => set({ variables: [...variables, { name, type: "string", required: true, preset: "", description: "" }] });
  return html`
    <fieldset>
      <legend>Variables</legend>
      ${variables.map(({ name, type, required, preset, description }, at) => html`
        <div class="variable" key=${at} role="group" aria-label=${`Variable ${name || at + 1}`}>
          <label>Name <input required pattern="[A-Za-z_][A-Za-z0-9_]*" maxlength="63" value=${name} ref=${name ? null : focused} onInput=${(/** @type {any} */ event) => change(at, { name: event.target.value })} autocomplete="off" /></label>
          <label>Type <select onChange=${(/** @type {any} */ event) => change(at, { type: event.target.value })}>${TYPES.map((one) => html`<option selected=${one === type}>${one}</option>`)}</select></label>
          <label class="check"><input type="checkbox" checked=${required} onChange=${(/** @type {any} */ event) => change(at, { required: event.target.checked })} /> must be given</label>
          ${!required && html`<label>Default <input value=${preset} onInput=${(/** @type {any} */ event) => change(at, { preset: event.target.value })} /></label>`}
          <label>Meaning <input maxlength="500" value=${description} onInput=${(/** @type {any} */ event) => change(at, { description: event.target.value })} /></label>
          <button type="button" class="quiet" aria-label=${`Remove the variable ${name}`} onClick=${() => set({ variables: changed(variables, at) })}>Remove</button>
        </div>`)}
      ${undeclared(draft).map((name) => html`
        <p class="noted" key=${name}>${`{{${name}}}`} is in a message and not declared. <button type="button" onClick=${() => add(name)}>Declare ${name}</button></p>`)}
      <p><button type="button" onClick=${() => add("")}>Add a variable</button></p>
    </fieldset>`;
}

/** @param {Part} props */
function Examples({ draft: { examples, nearest }, set }) {
  const change = (/** @type {number} */ at, /** @type {Partial<Api.PromptExample>} */ what) => set({ examples: changed(examples, at, what) });
  return html`
    ${examples.map(({ input, output }, at) => html`
      <fieldset key=${at}>
        <legend>Example ${at + 1}</legend>
        <label>Question <textarea required rows="2" value=${input} onInput=${(/** @type {any} */ event) => change(at, { input: event.target.value })}></textarea></label>
        <label>Answer <textarea rows="2" value=${output} onInput=${(/** @type {any} */ event) => change(at, { output: event.target.value })}></textarea></label>
        <p><button type="button" class="quiet" aria-label=${`Remove example ${at + 1}`} onClick=${() => set({ examples: changed(examples, at) })}>Remove</button></p>
      </fieldset>`)}
    <p class="choices"><button type="button" onClick=${() => set({ examples: [...examples, { input: "", output: "" }] })}>Add an example</button>
      <label>Only the nearest to the question <input type="number" min="1" max="20" value=${nearest} placeholder="all" onInput=${(/** @type {any} */ event) => set({ nearest: event.target.value })} /></label></p>`;
}

/** @param {Part} props */
function Rest({ draft: { parameters, schema, tools }, set }) {
  const put = (/** @type {string} */ name) => (/** @type {any} */ event) => set({ parameters: { ...parameters, [name]: event.target.value } });
  return html`
    <fieldset class="limits">
      <legend>Parameters</legend>
      ${NUMBERS.map(([name, step]) => html`<label><code>${name}</code> <input type="number" step=${step} value=${parameters[name] ?? ""} placeholder="the model's" onInput=${put(name)} /></label>`)}
      <label><code>reasoning_effort</code> <input maxlength="20" value=${parameters.reasoning_effort ?? ""} placeholder="the model's" onInput=${put("reasoning_effort")} /></label>
      <label><code>stop</code> <textarea rows="2" value=${parameters.stop} placeholder="one a line" onInput=${put("stop")}></textarea></label>
    </fieldset>
    <label>Output schema <textarea rows="4" spellcheck="false" value=${schema} placeholder="JSON schema that the answer is to fit" onInput=${(/** @type {any} */ event) => set({ schema: event.target.value })}></textarea></label>
    <label>Tools <textarea rows="4" spellcheck="false" value=${tools} placeholder='[{"type": "function", "function": {…}}], which the caller runs' onInput=${(/** @type {any} */ event) => set({ tools: event.target.value })}></textarea></label>`;
}
