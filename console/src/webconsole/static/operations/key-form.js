// A key, new or changed: whose it is, what it may do, and within which bounds.
import { call, me } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { focused } from "../parts/keys.js";

const SCOPES = /** @type {Record<string, string>} */ ({
  chat: "ask", documents: "add and delete documents", search: "search and read", agents: "run agents", "agents:write": "make agents and prompts",
  "prompts:release": "put prompts into production",
  "records:read": "read records of answers", "records:write": "delete records",
  "evaluations:read": "read question sets and evaluations", "evaluations:write": "make question sets, start evaluations",
  "feedback:write": "rate answers", "feedback:review": "judge and export",
  admin: "everything of every tenant",
});
const MINUTE_MS = 60_000;
const USUAL = new Set(["chat", "documents", "search"]);
const RECORDS = [["", "as its tenant has it"], ["full", "with their words"], ["metadata", "without their words"], ["off", "not at all"]];
const WINDOWS = /** @type {Api.BudgetInput["window"][]} */ (["day", "month"]);
const LIMITS = /** @type {const} */ (["requests_per_minute", "tokens_per_minute", "concurrency"]);
const NAME = "[a-z0-9][a-z0-9_\\-]{0,62}";

/** @param {{ row?: Api.Key, saved: (key: any) => void, cancel: () => void }} props `row`: the key that is changed; without it, a new one is made */
export function KeyForm({ row, saved, cancel }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const before = useRef(/** @type {FormData | null} */ (null));
  useEffect(() => void (before.current = new FormData(/** @type {HTMLFormElement} */ (form.current))), []);
  const problem = useSignal("");
  const busy = useSignal(false);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const now = new FormData(/** @type {HTMLFormElement} */ (form.current));
      saved(row
        ? await call("PATCH", ["keys", row.id], { json: changesOf(now, /** @type {FormData} */ (before.current), row) })
        : await call("POST", ["keys"], { json: bodyOf(now) }));
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="editor" ref=${form} onSubmit=${submit} aria-label=${row ? `Change ${row.name}` : "New key"}>
      <label>Name, so that others know what it is for <input name="name" required maxlength="200" autocomplete="off" defaultValue=${row?.name} ref=${row ? focused : null} /></label>
      ${!row && html`<label>Tenant; a new name makes a new one <input name="tenant" required pattern=${NAME} defaultValue=${me.value?.tenant} autocomplete="off" /></label>`}
      <fieldset><legend>It may</legend>
        ${Object.entries(SCOPES).map(([scope, about]) => html`
          <label><input type="checkbox" name="scope" value=${scope} defaultChecked=${row ? row.scopes.some((one) => one === scope) : USUAL.has(scope)} /> ${scope} <span class="hint">${about}</span></label>`)}
      </fieldset>
      <fieldset class="limits"><legend>Bounds; empty: none</legend>
        <label>Collections <input name="collections" placeholder=${row?.collections?.length === 0 ? "none at all" : "a, b"} defaultValue=${row?.collections?.join(", ")} /></label>
        <label>Models <input name="models" placeholder=${row?.models?.length === 0 ? "none at all" : "a, b"} defaultValue=${row?.models?.join(", ")} /></label>
        <label>Requests a minute <input name="requests_per_minute" type="number" min="1" defaultValue=${row?.limits.requests_per_minute} /></label>
        <label>Tokens a minute <input name="tokens_per_minute" type="number" min="1" defaultValue=${row?.limits.tokens_per_minute} /></label>
        <label>Calls at once <input name="concurrency" type="number" min="1" defaultValue=${row?.limits.concurrency} /></label>
        ${WINDOWS.map((window) => html`
          <label>USD a ${window} <input name=${window} type="number" min="0" step="any" defaultValue=${row?.budgets.find((one) => one.window === window)?.usd} /></label>`)}
        <label>Good until <input name="expires" type="date" defaultValue=${row?.expires_at && dayOf(row.expires_at)} /></label>
        <label>Its answers are on record <select name="records">
          ${RECORDS.map(([value, title]) => html`<option value=${value} selected=${value === (row?.records ?? "")}>${title}</option>`)}</select></label>
        <label>Records are kept for days <input name="records_days" type="number" min="1" max="3650" placeholder="as its tenant has it" defaultValue=${row?.records_days} /></label>
      </fieldset>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>${row ? "Save" : "Make the key"}</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** A time as a day where the browser is, as its date fields have it. @param {string} time */
function dayOf(time) {
  const at = new Date(time);
  return new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 10);
}

/** @param {FormData} form @returns {(name: string) => string} */
function textIn(form) {
  return (name) => String(form.get(name) ?? "").trim();
}

/** What was typed, as the API has it; what is empty is null. @param {FormData} form */
function valuesOf(form) {
  const text = textIn(form);
  const number = (/** @type {string} */ name) => (text(name) ? Number(text(name)) : null);
  const list = (/** @type {string} */ name) => (text(name) ? text(name).split(",").map((one) => one.trim()).filter(Boolean) : null);
  return {
    name: text("name"),
    scopes: /** @type {Api.KeyCreate["scopes"]} */ (form.getAll("scope")),
    collections: list("collections"),
    models: list("models"),
    limits: Object.fromEntries(LIMITS.map((name) => [name, number(name)])),
    budgets: WINDOWS.filter(text).map((window) => ({ window, usd: text(window) })),
    records: /** @type {Api.KeyCreate["records"]} */ (text("records") || null),
    records_days: number("records_days"),
    expires_at: text("expires") ? new Date(`${text("expires")}T23:59:59`).toISOString() : null,
  };
}

/** @param {FormData} form @returns {Api.KeyCreate} */
function bodyOf(form) {
  const text = textIn(form);
  return { ...valuesOf(form), tenant: text("tenant") };
}

/** Only what was changed in the form: the rest of a key may be what the form can't say, as a time of day or no model at all.
 * @param {FormData} form @param {FormData} before @param {Api.Key} row @returns {Api.KeyPatch} */
function changesOf(form, before, row) {
  const now = valuesOf(form);
  const was = new Map(Object.entries(valuesOf(before)));
  const changed = Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(was.get(name)));
  const others = row.scopes.filter((scope) => !(scope in SCOPES));
  return Object.fromEntries(changed.map(([name, value]) => [name, name === "scopes" ? [...now.scopes, ...others] : value]));
}
