// A new tuning job: which questions teach which model, and what becomes of what it learns.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { say } from "../parts/notice.js";

const SUFFIX = "[a-z0-9][a-z0-9_\\-]{0,39}";
/** What each method learns, and the kind of model that can. @type {Record<string, { title: string, about: string, kind: Api.ModelInfo["kind"] }>} */
const METHODS = {
  embedding: { title: "to find", kind: "embedding", about: "Questions come to lie nearer to the documents that answer them. Documents stay as they are; it takes seconds." },
  reading: { title: "to judge", kind: "reading", about: "A reading model learns which of the passages that a search finds answer, and when none does. It takes minutes." },
  rerank: { title: "to order", kind: "reading", about: "A reading model learns to order what searches find; what comes of it is a rerank model. It takes minutes." },
  classification: { title: "to sort", kind: "embedding", about: "Texts get the label of their question. It takes seconds." },
  supervised: { title: "to answer", kind: "chat", about: "A chat model learns to give the answers of the set. It takes minutes, and about 2 GB of memory." },
  dpo: { title: "to prefer", kind: "chat", about: "A chat model learns from pairs which answers people prefer. It takes minutes, and about 2 GB of memory." },
};
/** Methods that learn from a collection's documents. */
const SEARCHING = new Set(["embedding", "reading", "rerank"]);

/** @param {{ sets: Api.QuestionSet[] }} props */
export function StartTuning({ sets }) {
  const given = route.value.query.get("set") ?? "";
  const method = useSignal("embedding");
  const models = useSignal(/** @type {Api.ModelInfo[]} */ ([]));
  const collections = useSignal(/** @type {string[]} */ ([]));
  const problem = useSignal("");
  const busy = useSignal(false);
  useEffect(() => {
    call("GET", ["models"]).then(({ data }) => void (models.value = data), say);
    all(["collections"]).then((found) => void (collections.value = found.map(({ name }) => name)), say);
  }, []);
  if (!may("evaluations:write")) return html`<p class="hint">This key may not tune models: that needs the scope “evaluations:write”.</p>`;
  if (!sets.length) return html`<h1>Tune a model</h1><p class="hint">There is no question set yet. <a href=${addressOf("evaluations", "add")}>Make one</a> first.</p>`;
  const { kind, about } = METHODS[method.value];
  const able = models.value.filter((one) => one.kind === kind && !one.tuned);

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
      const job = await call("POST", ["fine_tuning", "jobs"], { json: bodyOf(form, method.value) });
      go("evaluations", "tuned", job.id);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <h1>Tune a model</h1>
    <form class="editor" onSubmit=${submit} aria-label="Tune a model">
      <fieldset class="limits"><legend>What learns from what</legend>
        <label>Question set, its newest version <select name="set">${sets.map(({ name }) => html`<option selected=${name === given}>${name}</option>`)}</select></label>
        <label>It learns <select name="method" onChange=${(/** @type {any} */ event) => (method.value = event.target.value)}>
          ${Object.entries(METHODS).map(([name, { title }]) => html`<option value=${name} selected=${name === method.value}>${title} (${name})</option>`)}</select></label>
        <label>Model <select name="model" required>${able.map(({ id, default: first }) => html`<option selected=${first}>${id}</option>`)}</select></label>
        ${SEARCHING.has(method.value) && html`
          <label>Collection whose documents answer <select name="collection">${collections.value.map((one) => html`<option>${one}</option>`)}</select></label>`}
      </fieldset>
      <p class="hint">${about} It learns from questions of the split “train” or of none, and is judged by the split “test”, or by a tenth.</p>
      <fieldset class="limits"><legend>What becomes of it</legend>
        <label>Served as MODEL+…; empty: the job's id <input name="suffix" maxlength="40" pattern=${SUFFIX} autocomplete="off" /></label>
        <label>Number that chooses by chance: the same one, the same result <input name="seed" type="number" min="0" max="2147483647" defaultValue="7" /></label>
        <label>Secrets and personal data <select name="sensitive">
          <option value="mask">are masked</option><option value="refuse">end the job</option><option value="keep">are learnt</option></select></label>
        <label><input type="checkbox" name="publish" defaultChecked /> Serve it at once if it is better</label>
        <label><input type="checkbox" name="skip" /> Leave out questions that other sets ask outside “train”, instead of failing</label>
      </fieldset>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value || !able.length}>Tune</button> <a class="button quiet" href=${addressOf("evaluations")}>Cancel</a></p>
    </form>`;
}

/** @param {FormData} form @param {string} method @returns {Api.FineTuningCreate} */
function bodyOf(form, method) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  return {
    model: text("model"),
    training_file: `set:${text("set")}`,
    method: { type: method, ...(SEARCHING.has(method) && { [method]: { collection: text("collection") } }) },
    ...(text("suffix") && { suffix: text("suffix") }),
    ...(text("seed") && { seed: Number(text("seed")) }),
    groundwork: { publish: form.get("publish") === "on", leaks: form.get("skip") === "on" ? "skip" : "refuse", sensitive: /** @type {Api.TuningOptions["sensitive"]} */ (text("sensitive")) },
  };
}
