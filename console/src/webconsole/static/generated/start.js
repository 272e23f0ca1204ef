// Questions from documents: which collection is asked about, how many are wanted, and what that may cost.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { NAME } from "../evaluations/question-file.js";
import { say } from "../parts/notice.js";

/** @param {{ sets: Api.QuestionSet[] }} props */
export function StartGeneration({ sets }) {
  const given = route.value.query.get("set") ?? "";
  const collections = useSignal(/** @type {Api.Collection[] | null} */ (null));
  const models = useSignal(/** @type {string[]} */ ([]));
  const problem = useSignal("");
  const busy = useSignal(false);
  useEffect(() => {
    all(["collections"]).then((found) => void (collections.value = found), (error) => void (problem.value = error.message));
    call("GET", ["models"]).then(({ data }) => void (models.value = data.filter(({ kind }) => kind === "chat").map(({ id }) => id)), say);
  }, []);
  if (!may("evaluations:write")) return html`<p class="hint">This key may not make questions: that needs the scope “evaluations:write”.</p>`;
  if (collections.value?.length === 0) {
    return html`<h1>Questions from documents</h1><p class="hint">There is no collection yet. <a href=${addressOf("documents")}>Add documents</a> first.</p>`;
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
      const set = String(form.get("set")).trim();
      const made = await call("POST", ["question-sets", set, "generate"], { json: bodyOf(form) });
      go("evaluations", "generated", set, made.id);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <h1>Questions from documents</h1>
    <p class="hint">Passages of a collection are made into questions. A question is kept only if a search and an answer find its passage again, and is in the set once you have accepted it.</p>
    <form class="editor" onSubmit=${submit} aria-label="Questions from documents">
      <fieldset class="limits"><legend>From where, into what</legend>
        <label>Collection <select name="collection" required>${(collections.value ?? []).map(({ name }) => html`<option>${name}</option>`)}</select></label>
        <label>Question set, one that is there or a new one <input name="set" required maxlength="63" pattern=${NAME} list="generated-sets" defaultValue=${given} autocomplete="off" /></label>
        <datalist id="generated-sets">${sets.map(({ name }) => html`<option value=${name}></option>`)}</datalist>
      </fieldset>
      <fieldset class="limits"><legend>How many</legend>
        <label>Questions that the documents answer, at most <input name="count" type="number" min="1" max="1000" required defaultValue="50" /></label>
        <label>Questions like them that no document answers; empty: one for each five <input name="near_misses" type="number" min="0" max="1000" /></label>
      </fieldset>
      <fieldset class="limits"><legend>What they are marked with</legend>
        <label>Split <input name="split" maxlength="63" pattern=${NAME} placeholder="train, test or one of your own" autocomplete="off" /></label>
        <label>Labels, one a line, beside “generated” <textarea name="labels" rows="2"></textarea></label>
      </fieldset>
      <fieldset class="limits"><legend>The run</legend>
        <label>Worded, where no rule does it, by <input name="model" list="generated-models" maxlength="200" placeholder="the default model" autocomplete="off" /></label>
        <datalist id="generated-models">${models.value.map((one) => html`<option value=${one}></option>`)}</datalist>
        <label>Number that chooses the passages: another one, other passages <input name="seed" type="number" min="0" max="2147483647" defaultValue="0" /></label>
        <label>Budget in USD; empty: none of its own <input name="budget" type="number" min="0.000001" max="999999" step="any" /></label>
      </fieldset>
      <p class="hint">Some four passages are tried for each question that is wanted, each with a search and an answer, with this key's rights, limits and budgets.</p>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value || !collections.value}>Make questions</button>
        <a class="button quiet" href=${given ? addressOf("evaluations", "sets", given) : addressOf("evaluations")}>Cancel</a></p>
    </form>`;
}

/** @param {FormData} form @returns {Api.GenerationCreate} */
function bodyOf(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  return {
    collection: text("collection"),
    count: Number(text("count")),
    ...(text("near_misses") && { near_misses: Number(text("near_misses")) }),
    ...(text("split") && { split: text("split") }),
    labels: text("labels").split("\n").map((label) => label.trim()).filter(Boolean),
    ...(text("model") && { model: text("model") }),
    ...(text("seed") && { seed: Number(text("seed")) }),
    ...(text("budget") && { budget_usd: text("budget") }),
  };
}
