// Two targets answer the same question side by side, without their names: a person says which answer is better, and learns then which was whose.
import { call, me } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressOf, route } from "../app/router.js";
import { may } from "../app/session.js";
import { PickSet } from "../evaluations/pick-set.js";
import { models, readModels } from "../parts/collections.js";
import { counted } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Viewer } from "../parts/viewer.js";
import { Values } from "../prompts/values.js";
import { askBoth } from "./ask.js";
import { Pair } from "./pair.js";
import { Tally } from "./tally.js";
import { requiredValues, usePrompts } from "./variables.js";

/** The most questions that are taken of a set. */
const MOST = 200;
const SIDES = ["First", "Second"];

/** What this key compares, until it signs out. @returns {{ targets: [string, string], lines: string, values: Record<string, string> }} */
function readKept() {
  const { targets = ["", ""], lines = "", values = {} } = JSON.parse(sessionStorage.getItem(place()) ?? "{}");
  const { query } = route.peek();
  return { targets: [query.get("first") ?? targets[0], query.get("second") ?? targets[1]], lines, values };
}

function place() {
  return `groundwork.compare.${me.peek()?.key_id}`;
}

/** The page. The address may name both targets. */
export function Compare() {
  const begun = useRef(/** @type {ReturnType<typeof readKept> | null} */ (null));
  const { targets, lines, values } = (begun.current ??= readKept());
  const chosen = [useSignal(targets[0]), useSignal(targets[1])];
  const questions = useSignal(lines);
  const typed = useSignal(values);
  const pair = useSignal(/** @type {import("./ask.js").Asked | null} */ (null));
  const going = useSignal(/** @type {AbortController | null} */ (null));
  /** The question that was asked and is not done with: a tab that is loaded anew asks it again. */
  const current = useSignal("");
  const problem = useSignal("");
  const mode = useSignal(/** @type {Api.Me["records"] | null} */ (null));
  const said = useSignal(0);
  const viewed = useSignal(/** @type {Api.Annotation | null} */ (null));
  const names = /** @type {[string, string]} */ (chosen.map(({ value }) => value.trim()));
  const { prompts, variables } = usePrompts(names);
  const left = questions.value.split("\n").map((line) => line.trim()).filter(Boolean);
  useEffect(() => {
    call("GET", ["me"]).then(({ records }) => (mode.value = records), say);
    return () => going.peek()?.abort();
  }, []);
  const kept = [current.value, questions.value].filter(Boolean).join("\n");
  useEffect(() => sessionStorage.setItem(place(), JSON.stringify({ targets: names, lines: kept, values: typed.value })), [...names, kept, typed.value]);
  if (!may("chat")) return html`<p class="hint alone">Comparing answers needs a key with the scope “chat”.</p>`;

  const asked = () => /** @type {[import("./ask.js").Target, import("./ask.js").Target]} */ (names.map((model, side) => ({ model, variables: requiredValues(variables[side], typed.value) })));
  /** @param {string} question @param {ReturnType<typeof asked>} targets */
  async function ask(question, targets) {
    const stop = new AbortController();
    [going.value, pair.value, viewed.value, current.value] = [stop, null, null, question];
    const answers = await askBoth(targets, question, stop.signal);
    if (going.value !== stop) return;
    going.value = null;
    if (!stop.signal.aborted) return void (pair.value = answers);
    current.value = "";
    questions.value = [question, questions.value].join("\n").trim();
  }
  function submit() {
    const [question, ...others] = left;
    problem.value = names[0] === names[1] ? "Choose two different targets." : question ? "" : "Type a question, or take some of a question set.";
    if (problem.value) return;
    begin(question, others.join("\n"));
  }
  /** @param {string} question @param {string} others */
  function begin(question, others) {
    try {
      ask(question, asked());
      questions.value = others;
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  }
  const next = () => {
    [current.value, pair.value] = ["", null];
    if (left.length) submit();
  };
  const done = () => {
    current.value = "";
    said.value += 1;
  };
  const load = (/** @type {string} */ _, /** @type {import("../evaluations/pick-set.js").Taken[]} */ taken, /** @type {number} */ count) => {
    questions.value = taken.map(({ question }) => question).join("\n");
    if (count > taken.length) say(`The first ${taken.length} of ${count} questions are taken.`);
  };
  return html`
    <div class=${`reviews${viewed.value ? " beside" : ""}`}>
      <div class="inside">
        <p><a href=${addressOf("reviews")}>Reviews</a></p>
        <h1>Compare two answers blind</h1>
        <${Recorded} mode=${mode.value} prompts=${names.some((name) => name.startsWith("prompt:"))} />
        ${pair.value && html`<${Pair} key=${pair.value.answers[0].id} asked=${pair.value} isLast=${!left.length} again=${() => begin(current.value, questions.value)} next=${next} done=${done}
          open=${(/** @type {Api.Annotation} */ one) => (viewed.value = one)} opened=${viewed.value} />`}
        ${going.value && html`<p role="status"><span class="hint working">Both are asked …</span> <button onClick=${() => going.value?.abort()}>Stop</button></p>`}
        <details class="call" open=${!pair.value && !going.value}>
          <summary>${names.every(Boolean) ? `${names[0]} and ${names[1]}, ${counted(left.length, "question")} left` : "Targets and questions"}</summary>
          <form class="adder try" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), submit())} aria-label="Compare">
            <${Targets} chosen=${chosen} prompts=${prompts} />
            <${Values} variables=${Object.assign({}, ...variables)} typed=${typed} />
            <label>Questions, one a line <textarea rows="4" value=${questions.value} onInput=${(/** @type {any} */ event) => (questions.value = event.target.value)}></textarea></label>
            <${PickSet} most=${MOST} before=${() => questions.peek()} take=${load} />
            ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
            <p><button class="primary" disabled=${going.value !== null || mode.value === "off"}>Ask both</button>
              <span class="hint">One question after the other. Each is two calls of this key, with their limits and cost.</span></p>
          </form>
        </details>
        <${Tally} pair=${names} said=${said.value} />
      </div>
      ${viewed.value && html`<${Viewer} place=${viewed.value} close=${() => (viewed.value = null)} />`}
    </div>`;
}

/** What is compared: whatever answers. @param {{ chosen: { value: string }[], prompts: Api.PromptSummary[] }} props */
function Targets({ chosen, prompts }) {
  useEffect(() => void readModels().catch(say), []);
  return html`
    <p class="choices">${chosen.map((one, side) => html`
      <label>${SIDES[side]} <input required maxlength="200" list="compare-targets" autocomplete="off" value=${one.value} onInput=${(/** @type {any} */ event) => (one.value = event.target.value)} /></label>`)}
      <datalist id="compare-targets">${[...models.value.map(({ id }) => id), ...prompts.map(({ name, version }) => `prompt:${name}@${version}`)].map((name) => html`<option value=${name}></option>`)}</datalist>
      <span class="hint">A model, a route, rag:COLLECTION, agent:NAME or prompt:NAME@VERSION.</span></p>`;
}

/** What a choice is good for, by what is on record of this key's answers. @param {{ mode: Api.Me["records"] | null, prompts: boolean }} props */
function Recorded({ mode, prompts }) {
  if (mode === "off") {
    return html`<p class="problem" role="status">Answers of this key are not on record, so that a choice between them would count nowhere, neither in the tally nor in an export.${" "}
      ${may("admin") ? html`<a href=${addressOf("records")}>Switch recording on</a>` : "Ask an administrator to put them on record."}</p>`;
  }
  return html`<p class="hint">The same question goes to both, and which is A is drawn anew for each. What you choose is feedback: it counts in the tally below, and is a pair in the export.
    ${mode === "metadata" && " Of this key's answers no words are on record: choices count in the tally, and are in no export."}
    ${mode === "full" && prompts && " What a prompt says is a part of what was asked: answers under different prompts count, and are no pair."}</p>`;
}
