// A new sweep: which settings of a collection's search are tried, on which questions, and how much it may spend.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { titleOf } from "../evaluations/measures.js";
import { counted } from "../parts/format.js";
import { say } from "../parts/notice.js";

const MODES = [["hybrid", "by both"], ["dense", "by meaning"], ["sparse", "by words"]];
const MEASURES = ["retrieval_ndcg_10", "retrieval_recall_10", "answer_found", "answer_f1"];
const OF_ANSWERS = new Set(["answer_found", "answer_f1"]);

/** @param {{ sets: Api.QuestionSet[] }} props */
export function StartSweep({ sets }) {
  const collections = useSignal(/** @type {string[]} */ ([]));
  const models = useSignal(/** @type {Api.ModelInfo[]} */ ([]));
  const set = useSignal(route.value.query.get("set") ?? sets[0]?.name ?? "");
  const problem = useSignal("");
  const busy = useSignal(false);
  useEffect(() => void call("GET", ["collections"], { query: { limit: 200 } }).then(({ data }) => void (collections.value = data.map(({ name }) => name)), say), []);
  useEffect(() => void call("GET", ["models"]).then(({ data }) => void (models.value = data), say), []);
  if (!may("evaluations:write")) return html`<p class="hint">This key may not start sweeps: that needs the scope “evaluations:write”.</p>`;
  if (!sets.length) return html`<p class="hint">Make a question set first: its questions say which settings are better.</p>`;
  const chosen = sets.find(({ name }) => name === set.value) ?? sets[0];
  const splits = Object.entries(chosen.splits);
  /** A box for each model of a kind, where there is a choice. @param {Api.ModelInfo["kind"]} kind @param {string} by */
  const boxes = (kind, by) => {
    const those = models.value.filter((one) => one.kind === kind);
    return those.length > 1 && those.map(({ id }) => html`<label><input type="checkbox" name=${`${kind}_model`} value=${id} /> ${by} by ${id}</label>`);
  };

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const json = bodyOf(new FormData(/** @type {HTMLFormElement} */ (event.target)));
      go("evaluations", "sweeps", (await call("POST", ["sweeps"], { json })).id);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  const split = (/** @type {string} */ name, /** @type {string} */ label) => html`
    <label>${label} <select name=${name}><option value="">a half of all</option>${splits.map(([one, count]) => html`<option value=${one}>${one} (${count})</option>`)}</select></label>`;
  return html`
    <h1>Try search settings</h1>
    <form class="editor" onSubmit=${submit} aria-label="Try search settings">
      <p class="hint">Each setting is tried with each on questions whose documents are known. The best is asked other questions, and can be applied where it is significantly better on them, too. Searches of people go first.</p>
      <fieldset class="limits"><legend>What is searched</legend>
        <label>Collection <select name="collection" required>${collections.value.map((one) => html`<option>${one}</option>`)}</select></label>
        <label>Question set <select name="question_set" onChange=${(/** @type {any} */ event) => (set.value = event.target.value)}>${sets.map(({ name }) => html`<option selected=${name === chosen.name}>${name}</option>`)}</select></label>
        ${splits.length > 1 && split("choose_split", "Chosen by")}${splits.length > 1 && split("confirm_split", "Confirmed by")}
        <span class="hint">${counted(chosen.questions, "question")}</span>
      </fieldset>
      <fieldset class="limits"><legend>What is tried, beside what serves</legend>
        ${MODES.map(([mode, words]) => html`<label><input type="checkbox" name="mode" value=${mode} defaultChecked=${true} /> ${words}</label>`)}
        <label><input type="checkbox" name="rerank" value="no" defaultChecked=${true} /> not reranked</label>
        <label><input type="checkbox" name="rerank" value="yes" /> reranked</label>
        ${boxes("rerank", "reranked")}
        <label>Chunk sizes in tokens <input name="chunk_size" pattern="[0-9]+( *, *[0-9]+)*" placeholder="as it is; or 200, 400" title="Numbers with commas between them, such as 200, 400" /></label>
        ${boxes("embedding", "embedded")}
        <p class="hint">Each chunk size and model is tried in an index of its own, one after the other, which embeds all documents once more. The collection is searched as it is meanwhile.</p>
      </fieldset>
      <fieldset class="limits"><legend>What decides</legend>
        <label>Measure <select name="measure">${MEASURES.map((one) => html`<option value=${one}>${titleOf(one)}</option>`)}</select></label>
        <label><input type="checkbox" name="answers" /> Have each question answered, too: measures of answers need it, and it costs more</label>
        <label>Budget in USD; empty: none of its own <input name="budget" type="number" min="0.000001" max="999999" step="any" /></label>
      </fieldset>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Start</button> <a class="button quiet" href=${addressOf("evaluations")}>Cancel</a></p>
    </form>`;
}

/** @param {FormData} form @returns {Api.TrialCreate} */
function bodyOf(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const modes = /** @type {("hybrid" | "dense" | "sparse")[]} */ (form.getAll("mode"));
  const reranks = form.getAll("rerank").map((one) => one === "yes");
  const sizes = text("chunk_size").split(",").filter((one) => one.trim()).map(Number);
  const [models, rerankers] = [form.getAll("embedding_model").map(String), form.getAll("rerank_model").map(String)];
  if (rerankers.length && !reranks.includes(true)) reranks.push(true); // who names one wants it
  const measure = /** @type {Api.TrialCreate["measure"]} */ (text("measure"));
  return {
    collection: text("collection"),
    question_set: text("question_set"),
    ...(text("choose_split") && { choose_split: text("choose_split") }),
    ...(text("confirm_split") && { confirm_split: text("confirm_split") }),
    settings: {
      ...(modes.length && { mode: modes }), ...(reranks.length && { rerank: reranks }),
      ...(sizes.length && { chunk_size: sizes }), ...(models.length && { embedding_model: models }),
      ...(rerankers.length && { rerank_model: rerankers }),
    },
    measure,
    answers: form.get("answers") === "on" || OF_ANSWERS.has(text("measure")),
    ...(text("budget") && { budget_usd: text("budget") }),
  };
}
