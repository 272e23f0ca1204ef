// Values for a prompt's variables, and what a model is asked with them.
import { html, useSignal } from "../app/html.js";
import { valuesOf } from "./template.js";

/** @typedef {import("./template.js").Variables} Variables */
/** @typedef {{ messages: Api.PromptMessage[], degraded?: string[], note?: string }} Filled */

/** A box for each variable, by its type. @param {{ variables: Variables, typed: { value: Record<string, string> } }} props */
export function Values({ variables, typed }) {
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => (typed.value = { ...typed.value, [name]: event.target.value });
  return html`
    <div class="values">
      ${Object.entries(variables).map(([name, { type, default: preset, description }]) => html`
        <label key=${name}><span><code>${name}</code> <span class="hint">${type}${preset === null ? ", required" : ""}${description && `: ${description}`}</span></span>
          ${type === "boolean"
            ? html`<select onChange=${set(name)}>
                ${["", "true", "false"].map((one) => html`<option value=${one} selected=${one === (typed.value[name] ?? "")}>${one || (preset === null ? "choose" : `${preset}, by default`)}</option>`)}
              </select>`
            : type === "string"
              ? html`<textarea rows="1" value=${typed.value[name] ?? ""} placeholder=${preset ?? ""} onInput=${set(name)}></textarea>`
              : html`<input inputmode="decimal" value=${typed.value[name] ?? ""} placeholder=${preset ?? ""} onInput=${set(name)} />`}
        </label>`)}
    </div>`;
}

/** Fill the variables and see it. @param {{ variables: Variables, fill: (values: Record<string, string | number | boolean>) => Promise<Filled> }} props */
export function Preview({ variables, fill }) {
  const typed = useSignal(/** @type {Record<string, string>} */ ({}));
  const filled = useSignal(/** @type {Filled | null} */ (null));
  const problem = useSignal("");
  const look = async () => {
    problem.value = "";
    try {
      filled.value = await fill(valuesOf(variables, typed.value));
    } catch (error) {
      filled.value = null;
      problem.value = /** @type {Error} */ (error).message;
    }
  };
  return html`
    <${Values} variables=${variables} typed=${typed} />
    <p><button type="button" onClick=${look}>Fill it</button></p>
    ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
    ${filled.value && html`
      <div role="status" data-filled>
        ${filled.value.messages.map(({ role, content }) => html`<h4>${role}</h4><pre class="lines" tabindex="0" aria-label=${`Message of ${role}`}>${content}</pre>`)}
        ${filled.value.note && html`<p class="hint">${filled.value.note}</p>`}
      </div>`}`;
}
