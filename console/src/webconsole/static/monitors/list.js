// Monitors: whether live answers are as good as they were; each with what fell, and the records that pull it down.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf, go } from "../app/router.js";
import { may } from "../app/session.js";
import { MEASURES } from "../experiments/figures.js";
import { usePolling } from "../parts/poll.js";

const EVERY_MS = 30_000;
/** What experiments measure, and what a judge says. */
export const MONITORED = [
  ...MEASURES,
  { name: /** @type {const} */ ("judge_right"), title: "Answers that the judge says are right", better: "more is better", text: MEASURES[0].text },
];
const WATCHED = new Set(["rating", "support", "abstention", "error_rate"]);

/** All of them. */
export function MonitorList() {
  const monitors = useSignal(/** @type {Api.Monitor[] | null} */ (null));
  const problem = useSignal("");
  usePolling(async (signal) => {
    try {
      monitors.value = (await call("GET", ["monitors"], { signal })).data;
      problem.value = "";
    } catch (error) {
      if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
    }
  }, EVERY_MS, []);
  return html`
    <h1>Live answers</h1>
    <p class="hint">A monitor compares what is recorded of live answers with the days before, or with a number, and raises an alert where a measure fell.</p>
    ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
    ${monitors.value === null && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
    ${monitors.value?.length === 0 && html`<p class="hint">There are no monitors yet.</p>`}
    ${monitors.value !== null && monitors.value.length > 0 && html`
      <table class="wide"><thead><tr><th>Monitor</th><th>Answers</th><th>State</th></tr></thead>
        <tbody>${monitors.value.map((one) => html`
          <tr key=${one.name} data-monitor=${one.name}>
            <td><a href=${addressOf("evaluations", "monitors", one.name)}>${one.name}</a></td>
            <td data-label="Answers">${targetOf(one)}</td>
            <td data-label="State">${one.falls.length ? html`<span class="status failed">fallen</span> <span class="hint">${one.falls.map(({ metric }) => titleOf(metric)).join(", ")}</span>` : html`<span class="status ready">steady</span>`}</td>
          </tr>`)}</tbody></table>`}
    ${may("evaluations:write") && html`<${Add} />`}`;
}

/** @param {Api.Monitor} monitor */
export function targetOf({ model, collection, sample_percent: percent }) {
  const what = [model ? `of ${model}` : "", collection ? `from ${collection}` : ""].filter(Boolean).join(" ") || "all that are recorded";
  return percent === "100" ? what : `${percent} % ${what}`;
}

/** @param {string} metric */
export function titleOf(metric) {
  return MONITORED.find(({ name }) => name === metric)?.title ?? metric;
}

/** A new one. */
function Add() {
  const problem = useSignal("");
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
    const chosen = MEASURES.filter(({ name }) => form.getAll("metric").includes(name)).map(({ name }) => [name, null]);
    const json = /** @type {Api.MonitorCreate} */ ({
      name: text("name"),
      ...(text("model") && { model: text("model") }),
      ...(text("percent") && { sample_percent: text("percent") }),
      ...(chosen.length && { metrics: Object.fromEntries(chosen) }),
      ...(text("judge") && { judge: { model: text("judge"), ...(text("judged") && { sample_percent: text("judged") }), ...(text("budget") && { budget_usd: text("budget") }) } }),
    });
    try {
      await call("POST", ["monitors"], { json });
      go("evaluations", "monitors", json.name);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  }
  return html`
    <form class="editor" onSubmit=${submit} aria-label="New monitor"><h2>New monitor</h2>
      <fieldset class="limits"><legend>Which answers</legend>
        <label>Name <input name="name" required maxlength="63" pattern="[a-z0-9][a-z0-9_\\-]*" autocomplete="off" /></label>
        <label>Model, rag:COLLECTION, agent:NAME or route; empty: all <input name="model" maxlength="200" autocomplete="off" /></label>
        <label>In a hundred; empty: all <input name="percent" type="number" min="0.01" max="100" step="0.01" /></label>
      </fieldset>
      <fieldset><legend>Measures</legend>
        ${MEASURES.map(({ name, title }) => html`<label><input type="checkbox" name="metric" value=${name} defaultChecked=${WATCHED.has(name)} /> ${title}</label>`)}
      </fieldset>
      ${may("records:read") && html`<fieldset class="limits"><legend>Judge</legend>
        <label>A model that says whether answers are right; empty: none <input name="judge" maxlength="200" autocomplete="off" /></label>
        <label>It judges so many in a hundred; empty: 10 <input name="judged" type="number" min="0.01" max="100" step="0.01" /></label>
        <label>Most dollars in a window; empty: no limit <input name="budget" type="number" min="0.000001" step="any" /></label>
      </fieldset>`}
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary">Watch</button></p>
    </form>`;
}
