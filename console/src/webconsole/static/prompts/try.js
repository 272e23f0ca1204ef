// Two versions side by side on the same questions: typed, of a question set, or saved in the search lab.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressWith } from "../app/router.js";
import { may } from "../app/session.js";
import { PickSet } from "../evaluations/pick-set.js";
import { PickVersion } from "../parts/changes.js";
import { collections, readCollections } from "../parts/collections.js";
import { counted, duration } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { questionsOf, savedSets } from "../search/questions.js";
import { valuesOf } from "./template.js";
import { Values } from "./values.js";

const MOST = 20;
const TITLES = ["First", "Second"];
/** @typedef {{ text?: string, ms?: number, tokens?: number, cites?: string[], abstained?: boolean, unused?: boolean, problem?: string }} Outcome */
/** @typedef {{ question: string, outcomes: (Outcome | null)[] }} Tried */
/** @typedef {import("../evaluations/pick-set.js").Taken} Taken */

/** @param {{ prompt: Api.Prompt, versions: Api.Prompt[], first: number, ships: boolean }} props `first`: the version that is shown; `ships`:
 * whether its versions stand in for a prompt that ships, which takes no variables and words answers from documents */
export function Try({ prompt, versions, first, ships }) {
  const chosen = [useSignal(prompt.version === first ? (versions.find(({ version }) => version !== first)?.version ?? first) : prompt.version), useSignal(first)];
  const typed = useSignal(/** @type {Record<string, string>} */ ({}));
  const lines = useSignal("");
  const target = useSignal("");
  const rows = useSignal(/** @type {Tried[]} */ ([]));
  const going = useSignal(/** @type {AbortController | null} */ (null));
  const problem = useSignal("");
  const taken = useSignal(/** @type {Taken[]} */ ([]));
  useEffect(() => {
    readCollections().catch(say);
    return () => going.peek()?.abort();
  }, []);
  if (!may("chat")) return html`<p class="hint">Trying it needs a key with the scope “chat”.</p>`;
  const picked = chosen.map(({ value }) => versions.find(({ version }) => version === value) ?? prompt);
  const variables = /** @type {import("./template.js").Variables} */ (ships ? {} : Object.assign({}, ...picked.map((one) => one.variables)));
  const [before, after] = picked.map(({ name, version }) => `prompt:${name}@${version}`);
  const blind = { first: before, second: after };
  /** @param {string} set @param {Taken[]} questions @param {number} count */
  const load = (set, questions, count) => {
    taken.value = questions.slice(0, MOST);
    lines.value = taken.value.map(({ question }) => question).join("\n");
    if ((collections.value ?? []).some(({ name }) => name === set)) target.value = set;
    if (count > MOST) say(`The first ${MOST} of ${count} questions are taken.`);
  };
  const loadSaved = (/** @type {string} */ set) => {
    const questions = questionsOf(set).map(({ question, document }) => ({ question: question.replaceAll("\n", " "), documents: document ? [document] : [] }));
    load(set, questions, questions.length);
  };

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    const stop = new AbortController();
    try {
      const questions = lines.value.split("\n").map((line) => line.trim()).filter(Boolean);
      if (ships && !target.value) throw new Error("Choose the documents to answer from: this prompt words answers from documents.");
      if (questions.length > MOST) throw new Error(`At most ${MOST} questions are asked at once; these are ${questions.length}.`);
      const asked = picked.map((one) => ({ version: one.version, values: ships ? null : valuesOf(/** @type {any} */ (one.variables), typed.value) }));
      going.value = stop;
      rows.value = (questions.length ? questions : [""]).map((question) => ({ question, outcomes: [null, null] }));
      for (const [at, { question }] of rows.value.entries()) {
        await Promise.all(asked.map(async ({ version, values }, side) => {
          const outcome = await ask(`${prompt.name}@${version}`, values, question, target.value, stop.signal);
          if (stop.signal.aborted) return;
          rows.value = rows.value.map((row, number) => (number === at ? { ...row, outcomes: row.outcomes.map((one, place) => (place === side ? outcome : one)) } : row));
        }));
        if (stop.signal.aborted) break;
      }
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    if (going.value === stop) going.value = null;
  }
  return html`
    <section aria-labelledby="try">
      <h2 id="try">Try two versions side by side</h2>
      <form class="adder try" onSubmit=${submit} aria-label="Try it">
        <p class="choices">${chosen.map((one, side) => html`<${PickVersion} label=${TITLES[side]} versions=${versions} chosen=${one} labels=${prompt.labels} />`)}
          <label>Answer from <select onChange=${(/** @type {any} */ event) => (target.value = event.target.value)}>
            <option value="">${ships ? "(choose documents)" : "the prompt's model alone"}</option>
            ${(collections.value ?? []).map(({ name }) => html`<option value=${name} selected=${name === target.value}>documents of ${name}</option>`)}
          </select></label></p>
        <${Values} variables=${variables} typed=${typed} />
        <label>Questions, one a line <textarea rows="4" value=${lines.value} onInput=${(/** @type {any} */ event) => (lines.value = event.target.value)}></textarea></label>
        <${PickSet} most=${MOST} before=${() => `${target.peek()}\n${lines.peek()}`} take=${load} />
        ${savedSets().map((set) => html`<p key=${set}><button type="button" class="quiet" onClick=${() => loadSaved(set)}>Take the ${counted(questionsOf(set).length, "question")} saved for ${set}</button></p>`)}
        ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
        <p>${going.value
          ? html`<button type="button" onClick=${() => going.value?.abort()}>Stop</button>`
          : html`<button class="primary">Try it</button>`}
          <span class="hint">Each answer is a call of this key, with its limits and cost.</span>
          ${!ships && html`<a href=${addressWith(["reviews", "compare"], blind)}>Compare them blind</a>`}</p>
      </form>
      ${rows.value.length > 0 && html`<${Results} name=${prompt.name} rows=${rows.value} taken=${taken.value} isGoing=${going.value !== null} />`}
    </section>`;
}

/** Ask one version. What goes wrong is its outcome.
 * @param {string} named @param {Record<string, string | number | boolean> | null} variables @param {string} question @param {string} collection @param {AbortSignal} signal @returns {Promise<Outcome>} */
async function ask(named, variables, question, collection, signal) {
  const begun = performance.now();
  const json = {
    model: collection ? `rag:${collection}` : `prompt:${named}`,
    messages: question ? [{ role: /** @type {const} */ ("user"), content: question }] : [],
    groundwork: { ...(variables && { variables }), ...(collection && { prompt: named }) },
  };
  try {
    const { choices, usage, groundwork } = await call("POST", ["chat", "completions"], { json, signal });
    const { content, annotations, tool_calls: calls } = choices[0].message;
    return {
      text: content ?? (calls ? JSON.stringify(calls, null, 2) : ""),
      ms: performance.now() - begun,
      tokens: usage?.total_tokens,
      cites: [...new Set((annotations ?? []).map(({ document_id: id }) => id))],
      abstained: Boolean(groundwork && "abstained" in groundwork && groundwork.abstained),
      unused: Boolean(groundwork && "degraded" in groundwork && groundwork.degraded?.includes("prompt_ignored")),
    };
  } catch (error) {
    return { problem: /** @type {Error} */ (error).message };
  }
}

/** @param {{ name: string, rows: Tried[], taken: Taken[], isGoing: boolean }} props */
function Results({ rows, taken, isGoing }) {
  const known = new Map(taken.map(({ question, documents }) => [question, documents]));
  return html`
    <table class="wide tried" aria-busy=${isGoing}>
      <thead><tr><th>Question</th>${TITLES.map((title) => html`<th>${title}</th>`)}</tr></thead>
      <tbody>${rows.map(({ question, outcomes }) => html`
        <tr key=${question}><td>${question || "(none)"}</td>
          ${outcomes.map((one, side) => html`<td data-label=${TITLES[side]} data-side=${side}>
            ${one ? html`<${Cell} outcome=${one} expected=${known.get(question)} />` : html`<span class="hint">${isGoing ? "…" : "not asked"}</span>`}</td>`)}
        </tr>`)}</tbody>
    </table>`;
}

/** @param {{ outcome: Outcome, expected?: string[] }} props */
function Cell({ outcome: { text, ms = 0, tokens, cites = [], abstained, unused, problem }, expected = [] }) {
  if (problem) return html`<p class="problem">${problem}</p>`;
  return html`
    <p class="said">${text}</p>
    <p class="hint">${duration(ms)}${tokens ? `, ${counted(tokens, "token")}` : ""}${abstained ? ", abstained" : ""}${unused ? ", none of it by this prompt" : ""}${cites.length ? `, cites ${cites.join(", ")}` : ""}${
      expected.length && !abstained ? (cites.some((one) => expected.includes(one)) ? " ✓ the document that answers it" : `, not ${expected.join(" or ")}, which answers it`) : ""}</p>`;
}
