// One question set: what a version holds, its questions, and what was measured by it.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, addressWith, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { download } from "../parts/download.js";
import { counted, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { GenerationList } from "../generated/list.js";
import { TuningList } from "../tuning/list.js";
import { Away } from "./away.js";
import { Curve } from "./curve.js";
import { Questions } from "./questions.js";
import { RunList } from "./run-list.js";

/** The most versions that are offered. */
const MOST = 200;
const MOST_QUESTIONS = 10_000;

/** @param {{ name: string, changed: () => Promise<void> }} props */
export function QuestionSetPage({ name, changed }) {
  const versions = useSignal(/** @type {Api.QuestionSet[] | null} */ (null));
  const problem = useSignal(/** @type {Error | null} */ (null));
  const read = async () => {
    try {
      versions.value = await all(["question-sets", name, "versions"], {}, MOST);
    } catch (error) {
      problem.value = /** @type {Error} */ (error);
    }
  };
  useEffect(() => void read(), []);
  if (problem.value) return html`<h1>${name}</h1><${Away} error=${problem.value} /><${GenerationList} set=${name} />`;
  if (!versions.value) return html`<p class="hint" role="status">Looking …</p>`;
  const wanted = Number(route.value.query.get("version"));
  const shown = versions.value.find(({ version }) => version === wanted) ?? versions.value[0];
  const saved = async () => {
    await Promise.all([read(), changed()]);
    go("evaluations", "sets", name);
  };
  return html`
    <${Head} set=${shown} versions=${versions.value} saved=${saved} changed=${changed} />
    <${Questions} key=${shown.version} set=${shown} isNewest=${shown === versions.value[0]} saved=${saved} />
    <${GenerationList} set=${name} />
    <section aria-labelledby="set-runs"><h2 id="set-runs">Evaluations by this set</h2><${RunList} set=${name} /></section>
    <${TuningList} set=${name} />
    <${Curve} set=${name} />`;
}

/** @param {{ set: Api.QuestionSet, versions: Api.QuestionSet[], saved: () => Promise<void>, changed: () => Promise<void> }} props */
function Head({ set, versions, saved, changed }) {
  const { name, version } = set;
  const open = (/** @type {any} */ event) => (location.hash = addressWith(["evaluations", "sets", name], { version: event.target.value }));
  const removeVersion = () => remove(["question-sets", name, "versions", String(version)], `Delete version ${version} of ${name} for ever, with the questions that no other version has?`, saved);
  const removeSet = () =>
    remove(["question-sets", name], `Delete the question set ${name} with all versions? Evaluations by it stay, without what was expected.`, async () => {
      await changed();
      go("evaluations");
    });
  return html`
    <header class="bar-of-choices">
      <h1>${name}</h1>
      <label>Version <select onChange=${open}>
        ${versions.map((one) => html`<option value=${one.version} selected=${one.version === version}>${one.version} · ${when(one.updated_at)}</option>`)}
      </select></label>
      ${may("evaluations:write") && html`
        <a class="button primary" href=${addressWith(["evaluations", "start"], { set: name, version })}>Evaluate</a>
        <a class="button" href=${addressOf("evaluations", "add", name)}>Add from a file</a>
        <a class="button" href=${addressWith(["evaluations", "generate"], { set: name })}>Add from documents</a>
        <a class="button" href=${addressWith(["evaluations", "tune"], { set: name })}>Tune</a>`}
      <button class="quiet" onClick=${() => exportSet(set).catch(say)}>Download</button>
      ${may("evaluations:write") && html`
        ${versions.length > 1 && html`<button class="quiet" onClick=${removeVersion}>Delete version</button>`}
        <button class="quiet" onClick=${removeSet}>Delete set</button>`}
    </header>
    ${set.description && html`<p>${set.description}</p>`}
    <${Counts} set=${set} />`;
}

/** What a version holds. @param {{ set: Api.QuestionSet }} props */
function Counts({ set }) {
  const { questions, answerable, unanswerable, splits, labels } = set;
  const unknown = questions - answerable - unanswerable;
  const inSplits = Object.values(splits).reduce((sum, count) => sum + count, 0);
  const named = (/** @type {Record<string, number>} */ counts) => Object.entries(counts).map(([one, count]) => `${one} ${count.toLocaleString()}`).join(", ");
  return html`
    <dl aria-label="What it holds">
      <dt>Questions</dt><dd>${questions.toLocaleString()}</dd>
      <dt>With a known answer</dt><dd>${answerable.toLocaleString()}</dd>
      <dt>That nothing answers</dt><dd>${unanswerable.toLocaleString()}</dd>
      ${unknown > 0 && html`<dt>With nothing known</dt><dd>${unknown.toLocaleString()} (only time, tokens and citations can be measured)</dd>`}
      <dt>Splits</dt><dd>${named(splits) || "none"}${inSplits > 0 && inSplits < questions && `, in none ${(questions - inSplits).toLocaleString()}`}</dd>
      <dt>Labels</dt><dd>${named(labels) || "none"}</dd>
      <dt>Digest</dt><dd><code>${set.digest.slice(0, 12)}</code></dd>
    </dl>`;
}

/** @param {readonly string[]} path @param {string} question @param {() => Promise<void>} then */
async function remove(path, question, then) {
  if (!confirm(question)) return;
  try {
    await call("DELETE", /** @type {any} */ (path));
    await then();
  } catch (error) {
    say(error);
  }
}

/** The questions of a version as a file that can be saved again. @param {Api.QuestionSet} set */
async function exportSet({ name, version }) {
  const items = await all(["question-sets", name, "versions", String(version), "items"], {}, MOST_QUESTIONS);
  const isThere = (/** @type {unknown} */ value) => value !== null && (typeof value !== "object" || Object.keys(/** @type {object} */ (value)).length > 0);
  const lines = items.map((item) => JSON.stringify(Object.fromEntries(Object.entries(item).filter(([, value]) => isThere(value)))) + "\n");
  download(`${name}-${version}.jsonl`, "application/jsonl", lines.join(""));
  say(`${counted(items.length, "question")} downloaded.`);
}
