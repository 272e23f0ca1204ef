// A new key: whose it is, what it may do, and within which bounds.
import { call, me } from "../api/client.js";
import { html, useSignal } from "../app/html.js";

const SCOPES = /** @type {Record<string, string>} */ ({
  chat: "ask", documents: "add and delete documents", search: "search and read", agents: "run agents", "agents:write": "make agents and prompts",
  "prompts:release": "put prompts into production",
  "records:read": "read records of answers", "records:write": "delete records",
  "evaluations:read": "read question sets and evaluations", "evaluations:write": "make question sets, start evaluations",
  "feedback:write": "rate answers", "feedback:review": "judge and export",
  admin: "everything of every tenant",
});
const USUAL = new Set(["chat", "documents", "search"]);
const RECORDS = [["", "as its tenant has it"], ["full", "with their words"], ["metadata", "without their words"], ["off", "not at all"]];
const NAME = "[a-z0-9][a-z0-9_\\-]{0,62}";

/** @param {{ made: (key: Api.KeyCreated) => void, cancel: () => void }} props */
export function KeyForm({ made, cancel }) {
  const problem = useSignal("");
  const busy = useSignal(false);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
      made(await call("POST", ["keys"], { json: bodyOf(form) }));
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="editor" onSubmit=${submit} aria-label="New key">
      <label>Name, so that others know what it is for <input name="name" required maxlength="200" autocomplete="off" /></label>
      <label>Tenant; a new name makes a new one <input name="tenant" required pattern=${NAME} defaultValue=${me.value?.tenant} autocomplete="off" /></label>
      <fieldset><legend>It may</legend>
        ${Object.entries(SCOPES).map(([scope, about]) => html`
          <label><input type="checkbox" name="scope" value=${scope} defaultChecked=${USUAL.has(scope)} /> ${scope} <span class="hint">${about}</span></label>`)}
      </fieldset>
      <fieldset class="limits"><legend>Bounds; empty: none</legend>
        <label>Collections <input name="collections" placeholder="a, b" /></label>
        <label>Models <input name="models" placeholder="a, b" /></label>
        <label>Requests a minute <input name="requests_per_minute" type="number" min="1" /></label>
        <label>Tokens a minute <input name="tokens_per_minute" type="number" min="1" /></label>
        <label>Calls at once <input name="concurrency" type="number" min="1" /></label>
        <label>USD a day <input name="day" type="number" min="0" step="any" /></label>
        <label>USD a month <input name="month" type="number" min="0" step="any" /></label>
        <label>Good until <input name="expires" type="date" /></label>
        <label>Its answers are on record <select name="records">
          ${RECORDS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>
      </fieldset>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Make the key</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** @param {FormData} form @returns {Api.KeyCreate} */
function bodyOf(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const list = (/** @type {string} */ name) => text(name).split(",").map((one) => one.trim()).filter(Boolean);
  const limits = ["requests_per_minute", "tokens_per_minute", "concurrency"].filter(text).map((name) => [name, Number(text(name))]);
  const budgets = /** @type {Api.BudgetInput["window"][]} */ (["day", "month"]).filter(text).map((window) => ({ window, usd: text(window) }));
  return {
    name: text("name"),
    tenant: text("tenant"),
    scopes: /** @type {Api.KeyCreate["scopes"]} */ (form.getAll("scope")),
    ...(list("collections").length && { collections: list("collections") }),
    ...(list("models").length && { models: list("models") }),
    limits: Object.fromEntries(limits),
    budgets,
    ...(text("records") && { records: /** @type {Api.KeyCreate["records"]} */ (text("records")) }),
    ...(text("expires") && { expires_at: new Date(`${text("expires")}T23:59:59`).toISOString() }),
  };
}
