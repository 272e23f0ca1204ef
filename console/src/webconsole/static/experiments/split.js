// A name that callers use, and two answers behind it, each for a share of them.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { say } from "../parts/notice.js";

const ASKED = new Set(["rag", "agent", "chat", "prompt"]);
const ROUTE = "[A-Za-z0-9][A-Za-z0-9._\\/\\-]{0,99}";
const SPLITS = /** @type {[Api.RouteSpec["split_by"], string][]} */ ([
  ["user", "person (“user” of a call)"], ["key", "key"], ["conversation", "conversation"], ["call", "call"],
]);
const GUARDS = [["", "nothing"], ["rating", "fewer thumbs up"], ["support", "less that sources support"], ["error_rate", "more errors"]];

/** @param {{ names: string[], made: (name: string) => void, cancel: () => void }} props */
export function SplitForm({ names, made, cancel }) {
  const targets = useSignal(/** @type {string[]} */ ([]));
  const problem = useSignal("");
  const busy = useSignal(false);
  useEffect(() => {
    call("GET", ["models"]).then(({ data }) => void (targets.value = data.filter(({ kind }) => ASKED.has(kind)).map(({ id }) => id)), say);
  }, []);

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const name = String(form.get("name")).trim();
    if (names.includes(name) && !confirm(`${name} is there already: callers get this split from now on, as a new version.`)) return;
    busy.value = true;
    try {
      await call("PUT", ["routes", name], { json: specOf(form) });
      say(`${name} is split.`);
      made(name);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="editor" onSubmit=${submit} aria-label="New split">
      <label>Name that callers use as the model <input name="name" required maxlength="100" pattern=${ROUTE} list="routes-there" autocomplete="off" /></label>
      <datalist id="routes-there">${names.map((one) => html`<option value=${one}></option>`)}</datalist>
      <fieldset class="limits"><legend>A model, rag:COLLECTION, agent:NAME or prompt:NAME@VERSION</legend>
        <label>Answers as before <input name="before" required maxlength="200" list="split-targets" autocomplete="off" /></label>
        <label>Is tried beside it <input name="after" required maxlength="200" list="split-targets" autocomplete="off" /></label>
        <datalist id="split-targets">${targets.value.map((one) => html`<option value=${one}></option>`)}</datalist>
      </fieldset>
      <fieldset class="limits"><legend>Who gets which</legend>
        <label>Share that tries it, in percent <input name="share" type="number" min="1" max="99" required defaultValue="50" /></label>
        <label>The same for each <select name="split_by">${SPLITS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>
        <label>End it by itself at significantly <select name="guard">${GUARDS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>
      </fieldset>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Split</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** @param {FormData} form @returns {Partial<Api.RouteSpec>} */
function specOf(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const share = Number(text("share"));
  const target = (/** @type {string} */ model, /** @type {number} */ weight) => ({ model, weight, name: null, groundwork: null });
  return {
    targets: [target(text("before"), 100 - share), target(text("after"), share)],
    split_by: /** @type {Api.RouteSpec["split_by"]} */ (text("split_by")),
    ...(text("guard") && { guard: { metric: /** @type {Api.Guard["metric"]} */ (text("guard")), p: 0.05 } }),
  };
}
