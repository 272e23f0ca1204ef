// Adds a model: behind a server, or fetched.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";

const WAYS = [["server", "A server that speaks OpenAI's API"], ["huggingface", "Fetch from Hugging Face"], ["ollama", "Fetch from Ollama"]];
const KINDS = ["chat", "embedding", "rerank"];
const REPOSITORY = "[^\\/@\\s]+/[^\\/@\\s]+";

/** @param {{ done: () => void, cancel: () => void }} props */
export function ModelForm({ done, cancel }) {
  const way = useSignal("server");
  const kind = useSignal("chat");
  const problem = useSignal("");
  const busy = useSignal(false);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      await add(way.value, new FormData(/** @type {HTMLFormElement} */ (event.target)));
      done();
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  /** @param {string} name @param {string} label @param {object} [more] */
  const field = (name, label, more = {}) => html`<label>${label} <input name=${name} autocomplete="off" spellcheck="false" required ...${more} /></label>`;
  return html`
    <form class="editor" onSubmit=${submit} aria-label="Add a model">
      <label>Where it is <select name="way" onChange=${(/** @type {any} */ event) => (way.value = event.target.value)}>
        ${WAYS.map(([name, title]) => html`<option value=${name} selected=${name === way.value}>${title}</option>`)}</select></label>
      ${field("name", "Name that callers write")}
      <label>Kind <select name="kind" onChange=${(/** @type {any} */ event) => (kind.value = event.target.value)}>
        ${KINDS.map((one) => html`<option selected=${one === kind.value}>${one}</option>`)}</select></label>
      ${field("reads", "Tokens that it reads", { type: "number", min: 16, required: way.value === "server", placeholder: "8192" })}
      ${kind.value === "embedding" && field("dimensions", "Length of its vectors", { type: "number", min: 1, required: way.value === "server" })}
      ${way.value === "server" && html`
        ${field("base_url", "Address", { type: "url", placeholder: "http://127.0.0.1:8000/v1" })}
        ${field("upstream_model", "What it is called there")}
        ${field("api_key_env", "Variable of inference's environment that holds its key", { required: false, placeholder: "none" })}`}
      ${way.value === "huggingface" && html`
        ${field("repository", "Repository", { pattern: REPOSITORY, placeholder: "org/name" })}
        ${field("file", "GGUF file in it; empty: the whole folder", { required: false })}`}
      ${way.value === "ollama" && field("tag", "Tag", { placeholder: "qwen3:8b" })}
      <label class="check"><input type="checkbox" name="default" /> “default” means it, for its kind</label>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Add</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** @param {string} way @param {FormData} form */
function add(way, form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const isChat = text("kind") === "chat";
  const about = {
    kind: text("kind"),
    ...(form.get("default") && { default: true }),
    ...(text("reads") && { [isChat ? "context_length" : "max_input_tokens"]: Number(text("reads")) }),
    ...(text("dimensions") && { dimensions: Number(text("dimensions")) }),
  };
  if (way === "server") {
    const key = text("api_key_env");
    const source = { base_url: text("base_url"), upstream_model: text("upstream_model"), ...(key && { api_key_env: key }) };
    return call("PUT", ["models", text("name")], { json: { ...about, engine: "openai", source } });
  }
  const file = text("file");
  const source = way === "ollama" ? { ollama: text("tag") } : { huggingface: text("repository"), ...(file && { file }) };
  return call("POST", ["models", "pull"], { json: { model: text("name"), ...about, source } });
}
