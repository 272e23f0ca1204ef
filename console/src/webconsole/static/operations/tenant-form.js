// A tenant, new or changed: the limits and budgets of all of its keys together, and what is kept of their answers.
import { call } from "../api/client.js";
import { html, useLayoutEffect, useRef, useSignal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { focused } from "../parts/keys.js";
import { Bounds, NAME, NAMED, boundsIn, changesOf, numberIn, textIn } from "./bounds.js";

/** What is kept of answers, by mode. */
export const RECORDS = { off: "nothing", metadata: "all but their words", full: "all, with their words" };
const USUAL_DAYS = 30;

/** @param {{ row?: Api.Tenant, saved: (tenant: Api.Tenant) => void, cancel: () => void }} props `row`: the tenant that is changed, as it was
 * when the form was opened; without it, a new one is made */
export function TenantForm({ row, saved, cancel }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const before = useRef(/** @type {ReturnType<typeof valuesOf> | null} */ (null));
  const isChanged = useRef(false);
  const problem = useSignal("");
  const busy = useSignal(false);
  const read = () => valuesOf(new FormData(/** @type {HTMLFormElement} */ (form.current)));
  useLayoutEffect(() => {
    before.current = read();
    return askBeforeLeaving(() => isChanged.current);
  }, []);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const now = read();
      const name = textIn(new FormData(/** @type {HTMLFormElement} */ (form.current)))("name");
      saved(row
        ? await call("PATCH", ["tenants", row.name], { json: changesOf(now, before.current ?? {}) })
        : await call("POST", ["tenants"], { json: { name, ...now } }));
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="editor" ref=${form} onSubmit=${submit} onInput=${() => (isChanged.current = true)} aria-label=${row ? `Change ${row.name}` : "New tenant"}>
      ${!row && html`<label>Name <input name="name" required pattern=${NAME} maxlength="63" title=${NAMED} autocomplete="off" ref=${focused} /></label>`}
      <fieldset class="limits"><legend>For all of its keys together; empty: none</legend><${Bounds} row=${row} first=${row ? focused : undefined} /></fieldset>
      <fieldset class="limits"><legend>Of its answers, where a key says nothing else</legend>
        <label>is kept <select name="records">
          ${Object.entries(RECORDS).map(([mode, title]) => html`<option value=${mode} selected=${mode === (row?.records ?? "off")}>${title}</option>`)}</select></label>
        <label>for days <input name="records_days" type="number" min="1" max="3650" required defaultValue=${row?.records_days ?? USUAL_DAYS} /></label>
      </fieldset>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>${row ? "Save" : "Make the tenant"}</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** What was typed, as the API has it. @param {FormData} form */
function valuesOf(form) {
  return {
    ...boundsIn(form),
    records: /** @type {Api.Tenant["records"]} */ (form.get("records")),
    records_days: numberIn(form)("records_days") ?? USUAL_DAYS,
  };
}
