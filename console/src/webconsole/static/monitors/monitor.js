// One monitor: the figures of its window so far, what fell, and the worst records by a measure.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go } from "../app/router.js";
import { may } from "../app/session.js";
import { when } from "../parts/format.js";
import { Whisker, extent } from "../parts/interval.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { MONITORED, targetOf, titleOf } from "./list.js";

const EVERY_MS = 30_000;
const WORST = 20;
const ENOUGH = 30;
const MARKS = /** @type {Record<string, string>} */ ({ fallen: "failed", steady: "ready", waiting: "queued" });

/** @param {{ name: string }} props */
export function MonitorPage({ name }) {
  const found = useSignal(/** @type {Api.Monitor | null} */ (null));
  const problem = useSignal("");
  const chosen = useSignal("");
  usePolling(async (signal) => {
    try {
      found.value = await call("GET", ["monitors", name], { signal });
      problem.value = "";
    } catch (error) {
      if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
    }
  }, EVERY_MS, [name]);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (found.value === null) return html`<p class="hint" role="status">Looking …</p>`;
  const monitor = found.value;
  const watched = MONITORED.filter((one) => monitor.figures[one.name]);
  const metric = chosen.value || (monitor.falls[0]?.metric ?? watched[0].name);
  const remove = async () => {
    if (!confirm("Delete this monitor?")) return;
    await call("DELETE", ["monitors", name]).then(() => go("evaluations", "monitors"), say);
  };
  return html`
    <header class="bar-of-choices"><h1>${name}</h1>${may("evaluations:write") && html`<button class="quiet" onClick=${remove}>Delete</button>`}</header>
    <p>Answers ${targetOf(monitor)}, since ${when(monitor.window ?? monitor.created_at)}; ${monitor.window_hours} hours are a window.</p>
    ${monitor.falls.map((fall) => {
      const text = MONITORED.find((one) => one.name === fall.metric)?.text ?? String;
      return html`<p class="problem" data-fall=${fall.metric}>${titleOf(fall.metric)}: fell to ${text(fall.value)} where ${text(fall.expected)} was expected, found ${when(fall.at)}.</p>`;
    })}
    <table class="wide">
      <thead><tr><th>Measure</th><th>State</th><th class="number">Now · expected</th><th>Interval</th><th class="number">Answers</th></tr></thead>
      <tbody>${watched.map((one) => html`<${Line} key=${one.name} measure=${one} figure=${monitor.figures[one.name]} />`)}</tbody>
    </table>
    ${monitor.judge && monitor.verdicts && html`<p class="hint" data-judge=${monitor.judge.model}>${judgedBy(monitor.judge.model, monitor.verdicts)}</p>`}
    <section aria-labelledby="worst"><header class="bar-of-choices"><h2 id="worst">The worst answers</h2>
      <label>Measure <select onChange=${(/** @type {any} */ event) => (chosen.value = event.target.value)}>
        ${watched.map((one) => html`<option value=${one.name} selected=${one.name === metric}>${one.title}</option>`)}</select></label></header>
      <${Worst} key=${metric} name=${name} metric=${metric} /></section>`;
}

/** What the judge has done, and how far people agree. @param {string} model @param {Api.MonitorVerdicts} done */
function judgedBy(model, { right, wrong, failed, error, waits, limited, cost_usd: cost, rated }) {
  const number = (/** @type {number | null | undefined} */ one) => (one ?? 0).toFixed(2);
  const few = rated?.enough ? "" : `, too few for κ (${ENOUGH} are needed)`;
  const kappa = rated?.kappa == null ? few : `, κ ${number(rated.kappa)} (${number(rated.low)} … ${number(rated.high)})`;
  return [
    `${model} judged ${right ?? 0} right, ${wrong ?? 0} wrong; failed at ${failed ?? 0}`,
    cost == null ? "" : `${cost} USD`,
    limited ? `no more in this window (${limited})` : "",
    error ? `${waits ? "waits:" : "last failed by"} ${error}` : "",
    `agrees with people on ${rated?.agreed ?? 0} of ${rated?.answers ?? 0} answers that were rated${kappa}`,
  ].filter(Boolean).join("; ") + ".";
}

/** @param {{ measure: typeof MONITORED[number], figure: Api.MonitorFigure }} props */
function Line({ measure: { name, title, text, better }, figure }) {
  const { value, low, high, expected, state, people, answers } = figure;
  const shown = (/** @type {number | null | undefined} */ one) => (one == null ? "–" : text(one));
  const between = value != null && low != null && high != null ? { value, low, high } : null;
  const waits = people < ENOUGH ? `${people} of ${ENOUGH} people so far` : "for a baseline";
  return html`
    <tr data-metric=${name} data-state=${state}>
      <th scope="row">${title} <span class="hint">${better}</span></th>
      <td data-label="State"><span class=${`status ${MARKS[state]}`}>${state}</span>${state === "waiting" && html` <span class="hint">${waits}</span>`}</td>
      <td class="number" data-label="Now · expected">${shown(value)} · ${shown(expected)}</td>
      <td>${between && html`<${Whisker} figure=${between} scale=${extent([between, { value: expected ?? between.value }])} text=${text} />`}</td>
      <td class="number" data-label="Answers">${answers.toLocaleString()}</td>
    </tr>`;
}

/** @param {{ name: string, metric: string }} props */
function Worst({ name, metric }) {
  const worst = useSignal(/** @type {Api.WorstAnswer[] | null} */ (null));
  useEffect(() => {
    call("GET", ["monitors", name, "worst"], { query: { metric, limit: WORST } }).then(({ data }) => void (worst.value = data), say);
  }, [name, metric]);
  const text = MONITORED.find((one) => one.name === metric)?.text ?? String;
  if (worst.value === null) return html`<p class="hint" role="status">Looking …</p>`;
  if (!worst.value.length) return html`<p class="hint">None pulls it down.</p>`;
  return html`
    <table class="wide"><thead><tr><th>Record</th><th>Asked</th><th>When</th><th class="number">Value</th></tr></thead>
      <tbody>${worst.value.map((one) => html`
        <tr key=${one.record} data-record=${one.record}>
          <td>${may("records:read") ? html`<a href=${addressOf("records", one.record)}>${one.record}</a>` : one.record}</td>
          <td data-label="Asked">${one.model}${one.reason && html` <span class="hint">${one.reason}</span>`}</td><td data-label="When">${when(one.at)}</td><td class="number" data-label="Value">${text(one.value)}</td>
        </tr>`)}</tbody></table>`;
}
