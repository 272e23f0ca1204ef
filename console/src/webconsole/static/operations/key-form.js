// A key, new or changed: whose it is, what it may do, and within which bounds.
import { call, me } from "../api/client.js";
import { html, useLayoutEffect, useRef, useSignal } from "../app/html.js";
import { DECIDERS } from "../parts/abstain.js";
import { focused } from "../parts/keys.js";
import { Bounds, NAME, NAMED, boundsIn, changesOf, numberIn, textIn } from "./bounds.js";

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

/** @param {{ row?: Api.Key, tenant?: string, saved: (key: any) => void, cancel: () => void }} props `row`: the key that is changed; without it, a
 * new one is made, of this tenant if nobody types another */
export function KeyForm({ row, tenant, saved, cancel }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const before = useRef(/** @type {FormData | null} */ (null));
  useLayoutEffect(() => void (before.current = new FormData(/** @type {HTMLFormElement} */ (form.current))), []);
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
        ? await call("PATCH", ["keys", row.id], { json: patchOf(now, /** @type {FormData} */ (before.current), row) })
        : await call("POST", ["keys"], { json: bodyOf(now) }));
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="editor" ref=${form} onSubmit=${submit} aria-label=${row ? `Change ${row.name}` : "New key"}>
      <label>Name, so that others know what it is for <input name="name" required maxlength="200" autocomplete="off" defaultValue=${row?.name} ref=${row ? focused : null} /></label>
      ${!row && html`<label>Tenant; a new name makes a new one <input name="tenant" required pattern=${NAME} title=${NAMED} defaultValue=${tenant || me.value?.tenant} autocomplete="off" /></label>`}
      <fieldset><legend>It may</legend>
        ${Object.entries(SCOPES).map(([scope, about]) => html`
          <label><input type="checkbox" name="scope" value=${scope} defaultChecked=${row ? row.scopes.some((one) => one === scope) : USUAL.has(scope)} /> ${scope} <span class="hint">${about}</span></label>`)}
      </fieldset>
      <fieldset class="limits"><legend>Bounds; empty: none</legend>
        <label>Collections <input name="collections" placeholder=${row?.collections?.length === 0 ? "none at all" : "a, b"} defaultValue=${row?.collections?.join(", ")} /></label>
        <label>Models <input name="models" placeholder=${row?.models?.length === 0 ? "none at all" : "a, b"} defaultValue=${row?.models?.join(", ")} /></label>
        <${Bounds} row=${row} />
        <label>Good until <input name="expires" type="date" defaultValue=${row?.expires_at && dayOf(row.expires_at)} /></label>
        <label>That there is no answer is decided by <select name="abstain">
          ${[["", "default: a connected chat model, else the reading model"], ...DECIDERS].map(([value, title]) => html`<option value=${value} selected=${value === (row?.abstain ?? "")}>${title}</option>`)}</select></label>
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

/** What was typed, as the API has it; what is empty is null. @param {FormData} form */
function valuesOf(form) {
  const text = textIn(form);
  const list = (/** @type {string} */ name) => (text(name) ? text(name).split(",").map((one) => one.trim()).filter(Boolean) : null);
  return {
    name: text("name"),
    scopes: /** @type {Api.KeyCreate["scopes"]} */ (form.getAll("scope")),
    collections: list("collections"),
    models: list("models"),
    ...boundsIn(form),
    abstain: /** @type {Api.KeyCreate["abstain"]} */ (text("abstain") || null),
    records: /** @type {Api.KeyCreate["records"]} */ (text("records") || null),
    records_days: numberIn(form)("records_days"),
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
function patchOf(form, before, row) {
  const changed = changesOf(valuesOf(form), valuesOf(before));
  const others = row.scopes.filter((scope) => !(scope in SCOPES));
  return changed.scopes ? { ...changed, scopes: [...changed.scopes, ...others] } : changed;
}
