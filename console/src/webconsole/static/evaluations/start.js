// A new evaluation: which questions are asked of what, how it is measured and judged, and how much it may spend.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { counted, duration } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Judge, Measures, measuredBy } from "./judging.js";
import { SUITES, isSuite } from "./suites.js";

const ASKED = new Set(["rag", "agent", "chat", "prompt"]);
const MODES = [["", "as the collection does"], ["hybrid", "by both"], ["dense", "by meaning"], ["sparse", "by words"]];
const RERANK = [["", "as the collection does"], ["yes", "reranked"], ["no", "not reranked"]];
const GROUNDING = [["", "as usual"], ["strict", "only what sources support"], ["annotate", "marked where they don't"], ["off", "not checked"]];

/** @param {{ sets: Api.QuestionSet[] }} props */
export function Start({ sets }) {
  const given = route.value.query;
  const wanted = given.get("set") ?? "";
  const set = useSignal(isSuite(wanted) || sets.some(({ name }) => name === wanted) ? wanted : (sets[0]?.name ?? SUITES[0].name));
  const versions = useSignal(/** @type {Api.QuestionSet[]} */ ([]));
  const version = useSignal(Number(given.get("version")) || 0);
  const split = useSignal("");
  const model = useSignal(given.get("model") ?? "");
  const touched = useSignal(false);
  const targets = useSignal(/** @type {string[]} */ ([]));
  const problem = useSignal("");
  const busy = useSignal(false);
  useEffect(() => {
    call("GET", ["models"]).then(({ data }) => {
      targets.value = data.filter(({ kind }) => ASKED.has(kind)).sort((one, other) => Number(other.default) - Number(one.default)).map(({ id }) => id);
      const own = [`rag:${set.value}`, ...targets.value.filter((id) => id.startsWith("rag:")), ...targets.value];
      if (!model.value && !touched.value) model.value = own.find((id) => targets.value.includes(id)) ?? "";
    }, say);
  }, []);
  useEffect(() => {
    versions.value = [];
    if (isSuite(set.value)) return undefined;
    let isLeft = false; // a late reply is of a set that is no longer chosen
    all(["question-sets", set.value, "versions"], {}, 200).then((found) => void (isLeft || (versions.value = found)), say);
    return () => void (isLeft = true);
  }, [set.value]);
  if (!may("evaluations:write")) return html`<p class="hint">This key may not start evaluations: that needs the scope “evaluations:write”.</p>`;
  const chosen = versions.value.find((one) => one.version === version.value) ?? versions.value[0];
  const suite = SUITES.find(({ name }) => name === set.value);
  const count = chosen ? (split.value ? (chosen.splits[split.value] ?? 0) : chosen.questions) : 0;

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
      const made = await call("POST", ["evaluations"], { json: bodyOf(form, set.value, chosen?.version) });
      go("evaluations", "runs", made.id);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  const pick = (/** @type {any} */ event) => {
    set.value = event.target.value;
    version.value = 0;
    split.value = "";
  };
  return html`
    <h1>New evaluation</h1>
    <form class="editor" onSubmit=${submit} aria-label="New evaluation">
      <fieldset class="limits"><legend>Which questions</legend>
        <label>Question set <select onChange=${pick}>
          ${sets.map(({ name }) => html`<option selected=${name === set.value}>${name}</option>`)}
          <optgroup label="Safety suites that ship">${SUITES.map(({ name }) => html`<option selected=${name === set.value}>${name}</option>`)}</optgroup></select></label>
        ${!suite && html`<label>Version <select onChange=${(/** @type {any} */ event) => ((version.value = Number(event.target.value)), (split.value = ""))}>
          ${versions.value.map((one, at) => html`<option value=${one.version} selected=${one === chosen}>${one.version}${at === 0 && ", the newest"}</option>`)}</select></label>
        <label>Split <select name="split" onChange=${(/** @type {any} */ event) => (split.value = event.target.value)}>
          <option value="">all</option>${Object.entries(chosen?.splits ?? {}).map(([name, some]) => html`<option value=${name} selected=${name === split.value}>${name} (${some})</option>`)}</select></label>`}
      </fieldset>
      ${suite && html`<p class="hint">${suite.about}</p>`}
      ${!sets.length && html`<p class="hint">There is no question set of your own yet. <a href=${addressOf("evaluations", "add")}>Make one</a> to measure your documents.</p>`}
      <label>Asked of: a model, rag:COLLECTION, agent:NAME, prompt:NAME or prompt:NAME@VERSION
        <input name="model" required maxlength="200" list="evaluation-targets" value=${model.value} onFocus=${() => (touched.value = true)} onInput=${(/** @type {any} */ event) => (model.value = event.target.value)} autocomplete="off" /></label>
      <datalist id="evaluation-targets">${targets.value.map((one) => html`<option value=${one}></option>`)}</datalist>
      ${model.value.startsWith("rag:") ? html`<${Documents} />` : html`<${Wording} />`}
      <${Judge} judges=${targets.value.filter((id) => !id.includes(":"))} />
      <${Measures} />
      <fieldset class="limits"><legend>The evaluation</legend>
        <label>Name; empty: by what is asked <input name="name" maxlength="200" autocomplete="off" /></label>
        <label>Budget in USD; empty: none of its own <input name="budget" type="number" min="0.000001" max="999999" step="any" /></label>
      </fieldset>
      ${(chosen || suite) && html`<${Estimate} set=${chosen} count=${count} model=${model.value.trim()} />`}
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value || !(count || suite)}>Start</button> <a class="button quiet" href=${addressOf("evaluations")}>Cancel</a></p>
    </form>`;
}

/** @param {{ label: string, name: string, options: string[][] }} props */
function Pick({ label, name, options }) {
  return html`<label>${label} <select name=${name}>${options.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>`;
}

/** Settings of answers from documents. */
function Documents() {
  return html`<fieldset class="limits"><legend>Settings; what is left as it is, is as in a chat</legend>
    <${Pick} label="Search" name="mode" options=${MODES} />
    <${Pick} label="Reranking" name="rerank" options=${RERANK} />
    <label>Reranked by the model <input name="rerank_model" maxlength="200" placeholder="as the collection does" autocomplete="off" /></label>
    <${Pick} label="Sentences" name="grounding" options=${GROUNDING} />
    <label>Passages, at most <input name="top_k" type="number" min="1" max="50" /></label>
    <label>Worded by the model <input name="worded" list="evaluation-targets" maxlength="200" autocomplete="off" /></label>
    <label>Read by the model <input name="reader" maxlength="200" placeholder="the default reading model" autocomplete="off" /></label>
    <label>By the prompt <input name="prompt" maxlength="200" placeholder="groundwork-answer@2" autocomplete="off" /></label>
  </fieldset>`;
}

/** Settings of a model. */
function Wording() {
  return html`<fieldset class="limits"><legend>Settings; empty: as in a chat</legend>
    <label>Temperature <input name="temperature" type="number" min="0" max="2" step="any" /></label>
    <label>Most tokens of an answer <input name="max_tokens" type="number" min="1" /></label>
    <label>Seed <input name="seed" type="number" min="0" /></label>
  </fieldset>`;
}

/** @param {FormData} form @param {string} set @param {number | undefined} version @returns {Api.EvaluationCreate} */
function bodyOf(form, set, version) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const numbers = (/** @type {string[]} */ names) => Object.fromEntries(names.filter(text).map((name) => [name, Number(text(name))]));
  const words = Object.fromEntries(["mode", "grounding", "reader", "rerank_model", "prompt"].filter(text).map((name) => [name, text(name)]));
  const groundwork = { ...words, ...numbers(["top_k"]), ...(text("rerank") && { rerank: text("rerank") === "yes" }), ...(text("worded") && { model: text("worded") }) };
  return {
    question_set: set,
    ...(version && { version }),
    ...measuredBy(form),
    ...(text("split") && { split: text("split") }),
    target: {
      model: text("model"),
      ...(Object.keys(groundwork).length && { groundwork: /** @type {Api.AnswerOptions} */ (groundwork) }),
      parameters: numbers(["temperature", "max_tokens", "seed"]),
    },
    name: text("name"),
    ...(text("budget") && { budget_usd: text("budget") }),
  };
}

/** How often it asks, and what that took the last time. @param {{ set?: Api.QuestionSet, count: number, model: string }} props Without a set, of a suite. */
function Estimate({ set, count, model }) {
  const before = useSignal(/** @type {Api.Evaluation[]} */ ([]));
  useEffect(() => {
    call("GET", ["evaluations"], { query: { status: "completed", limit: 100 } }).then(({ data }) => void (before.value = data), say);
  }, []);
  const more = model.startsWith("rag:") ? ", each with the searches, models and checks behind it" : model.startsWith("agent:") ? ", each with the steps and calls of its run" : "";
  const last = before.value.find((one) => one.target.model === model && one.done > 0);
  return html`
    <p class="hint" data-estimate=${count}>${set ? `${counted(count, "answer")} ${count === 1 ? "is" : "are"}` : "An answer to each of its questions is"} asked for${more}, with this key's rights, limits and budgets.
      ${set && last && ` By the last evaluation of it: ${needed(last, count / last.done)}.`}</p>
    ${set && html`<p class="hint">Where none is chosen, all measures are taken that the questions allow: ${allowed(set).join("; ")}.</p>`}`;
}

/** What a share of an evaluation took. @param {Api.Evaluation} run @param {number} share */
function needed({ prompt_tokens: read, completion_tokens: written, embedding_tokens: embedded, cost_usd: cost, started_at: from, finished_at: to }, share) {
  const tokens = `about ${counted(Math.round((read + written + embedded) * share), "token")}`;
  const took = from && to ? duration((Date.parse(to) - Date.parse(from)) * share) : "";
  return [tokens, cost !== null && `${Number((Number(cost) * share).toPrecision(2))} USD`, took].filter(Boolean).join(", ");
}

/** @param {Api.QuestionSet} set */
function allowed({ answerable, unanswerable }) {
  return [
    answerable > 0 && "answers, numbers, citations and ranks of documents, where answers or documents are known",
    answerable > 0 && unanswerable > 0 ? "whether it answers, and says so where nothing answers" : unanswerable > 0 && "whether it says so where nothing answers",
    "citations that support, time and tokens",
  ].filter(Boolean);
}
