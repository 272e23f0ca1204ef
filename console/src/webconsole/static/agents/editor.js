// A new agent, or a new version of one.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { models, readModels } from "../parts/collections.js";
import { say } from "../parts/notice.js";
import { toolLine } from "./lines.js";

const NAME = "[a-z0-9][a-z0-9_\\-]{0,62}";
/** Tools that need no more than their name. @typedef {Api.PlainTool["type"] | "search_documents" | "read_document"} Named */
const TOOLS = /** @type {Record<Named, string>} */ ({
  search_documents: "finds passages", read_document: "reads a span or a page", calculator: "computes exactly",
  current_time: "says date and time", plan: "keeps a plan", search_history: "finds what was said earlier",
});
const CHOICES = /** @type {Record<string, string>} */ ({ auto: "as the model decides", required: "calls a tool", none: "no tools" });
const LIMITS = /** @type {[keyof Api.AgentLimits, string, string][]} */ ([
  ["steps", "Steps", "1"], ["tool_calls", "Calls of tools", "1"], ["tokens", "Tokens", "1"], ["seconds", "Seconds", "any"], ["cost_usd", "Cost in USD", "any"],
]);

/** @param {{ agent: Api.Agent | null, saved: (name: string) => void, cancel: () => void }} props `agent`: null for a new one */
export function Editor({ agent, saved, cancel }) {
  const problem = useSignal("");
  const busy = useSignal(false);
  const isChanged = useRef(false);
  useEffect(() => {
    readModels().catch(say);
    return askBeforeLeaving(() => isChanged.current);
  }, []);
  const others = (agent?.tools ?? []).filter((tool) => !(tool.type in TOOLS));
  const has = (/** @type {string} */ type) => Boolean(agent?.tools.some((tool) => tool.type === type));

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const body = bodyOf(agent, others, new FormData(/** @type {HTMLFormElement} */ (event.target)));
      await call("POST", ["agents"], { json: body });
      saved(body.name);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  const choices = ["default", ...models.value.filter((one) => one.kind === "chat").map((one) => one.id)];
  const model = agent?.model ?? "default";
  const own = agent?.instructions ?? "";
  return html`
    <form class="editor" onSubmit=${submit} onInput=${() => (isChanged.current = true)} aria-label=${agent ? `New version of ${agent.name}` : "New agent"}>
      <h2>${agent ? `New version of ${agent.name}` : "New agent"}</h2>
      ${!agent && html`<label>Name <input name="name" required pattern=${NAME} autocomplete="off" title="Small letters, digits, - and _; it begins with a letter or a digit" /></label>`}
      <label>Model <select name="model">${[...new Set([...choices, model])].map((one) => html`<option selected=${one === model}>${one}</option>`)}</select></label>
      <label>Instructions <textarea name="instructions" rows="6" maxlength="100000" defaultValue=${typeof own === "string" ? own : ""}></textarea></label>
      <details open=${typeof own !== "string"}><summary class="hint">or a prompt's text</summary>
        <label>Prompt <input name="prompt" maxlength="130" defaultValue=${typeof own === "string" ? "" : own.prompt} placeholder="name, name@label or name@3" autocomplete="off" /></label>
        <label>Its variables <textarea name="variables" rows="2" spellcheck="false" defaultValue=${typeof own === "string" ? "" : JSON.stringify(own.variables)} placeholder='{"language": "English"}'></textarea></label>
        <p class="hint">It is read when a run begins: the prompt's labels say which version.</p></details>
      <fieldset>
        <legend>Tools</legend>
        ${Object.entries(TOOLS).map(([type, about]) => html`
          <p class="tool"><label><input type="checkbox" name="tool" value=${type} defaultChecked=${has(type)} /> <code>${type}</code> <span class="hint">${about}</span></label>
            <label class="hint"><input type="checkbox" name="asks" value=${type} defaultChecked=${agent?.approval.tools.includes(type)} aria-label=${`Ask before ${type}`} /> ask before</label></p>`)}
        ${others.map((tool) => html`<p class="hint">and ${toolLine(tool)}, as it is</p>`)}
        <p class="hint">Tools of MCP servers and of HTTP are set by the API.</p>
        <label>First step <select name="tool_choice">${[...new Set(["auto", "required", "none", agent?.tool_choice ?? "auto"])].map((one) => html`<option value=${one} selected=${one === (agent?.tool_choice ?? "auto")}>${CHOICES[one] ?? `calls ${one}`}</option>`)}</select></label>
        <p class="tool"><label><input type="checkbox" name="allow_weak_model" defaultChecked=${agent?.allow_weak_model} /> Also run on the packaged model <span class="hint">it is too small to choose tools</span></label></p>
      </fieldset>
      <fieldset class="limits">
        <legend>Limits of one run</legend>
        ${LIMITS.map(([name, title, step]) => html`
          <label>${title} <input name=${`limit-${name}`} type="number" min="0" step=${step} defaultValue=${agent?.limits[name] ?? ""} placeholder=${name === "cost_usd" ? "none" : "usual"} /></label>`)}
      </fieldset>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Save</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** The form as a definition; what it does not show stays as it was. @param {Api.Agent | null} agent @param {Api.Agent["tools"]} others @param {FormData} form
 * @returns {Api.AgentCreate} */
function bodyOf(agent, others, form) {
  const chosen = /** @type {Named[]} */ (form.getAll("tool"));
  const asks = /** @type {Named[]} */ (form.getAll("asks")).filter((type) => chosen.includes(type));
  const unseen = (agent?.approval.tools ?? []).filter((/** @type {string} */ name) => !(name in TOOLS));
  const limits = LIMITS
    .map(([name]) => [name, String(form.get(`limit-${name}`))])
    .filter(([, value]) => value !== "")
    .map(([name, value]) => [name, name === "cost_usd" ? value : Number(value)]);
  return {
    name: agent?.name ?? String(form.get("name")),
    model: String(form.get("model")),
    instructions: instructionsOf(form),
    tools: [...chosen.map((type) => agent?.tools.find((tool) => tool.type === type) ?? { type }), ...others],
    limits: Object.fromEntries(limits),
    approval: { tools: [...asks, ...unseen], unknown_outcomes: agent?.approval.unknown_outcomes ?? false },
    tool_choice: String(form.get("tool_choice")),
    allow_weak_model: form.has("allow_weak_model"),
    ...(agent && { grounding: agent.grounding, memory: agent.memory, output_schema: agent.output_schema, temperature: agent.temperature }),
  };
}

/** A text, or the prompt that is named. @param {FormData} form @returns {Api.AgentCreate["instructions"]} */
function instructionsOf(form) {
  const prompt = String(form.get("prompt")).trim();
  if (!prompt) return String(form.get("instructions"));
  try {
    return { prompt, variables: JSON.parse(String(form.get("variables")).trim() || "{}") };
  } catch (error) {
    throw new Error(`The prompt's variables can't be read as JSON: ${/** @type {Error} */ (error).message}.`);
  }
}
