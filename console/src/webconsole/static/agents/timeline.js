// What happened in a run, in order: what the model said, each call with its arguments and result, decisions, ends.
import { html } from "../app/html.js";
import { counted, duration, when } from "../parts/format.js";

/** @typedef {import("./follow.js").Step} Step */
/** @typedef {import("./follow.js").Mark} Mark */

const MARKS = /** @type {Record<string, string>} */ ({
  "run.queued": "In line", "run.started": "Started", "run.restarted": "Taken up again", "run.resumed": "Decided",
  "run.waiting_approval": "Waits for a decision", "run.completed": "Completed", "run.failed": "Failed",
  "run.cancelled": "Cancelled", "run.limit_reached": "Ended by a limit",
});
const ACTIONS = /** @type {Record<string, string>} */ ({ approve: "approved", edit: "approved as edited", reject: "rejected" });
const KINDS = { done: "", kept: "", none: "queued", waiting: "queued", unknown: "failed", failed: "failed" };
const SHOWN = 4000;

/** `point` draws what can be done after a step that was finished, 0 for the beginning; it is told whether that has only words.
 * @param {{ timeline: (Step | Mark)[], isLive: boolean, point?: (after: number, isTalk: boolean) => unknown }} props */
export function Timeline({ timeline, isLive, point = () => null }) {
  const began = Date.parse(timeline[0]?.at ?? "");
  return html`
    <ol class="timeline" aria-label="What happened" aria-busy=${isLive}>
      ${timeline.map((one, number) => (one.kind === "step" ? html`<${OneStep} key=${`step ${one.step}`} step=${one} began=${began} point=${point} />` : html`<${OneMark} key=${number} mark=${one} began=${began} point=${point} />`))}
    </ol>`;
}

/** @param {{ at: string, began: number }} props */
function Moment({ at, began }) {
  return html`<time class="hint" datetime=${at} title=${when(at)}>+${duration(Date.parse(at) - began)}</time>`;
}

/** @param {{ mark: Mark, began: number, point: (after: number, isTalk: boolean) => unknown }} props */
function OneMark({ mark, began, point }) {
  const { type, data, at } = mark;
  const decisions = (data?.decisions ?? []).map((/** @type {any} */ one) => ACTIONS[one.action] ?? one.action).join(", ");
  const more = data?.error?.message ?? data?.limit ?? decisions;
  return html`<li class="mark" data-mark=${type}><strong>${MARKS[type] ?? type}</strong>${more && `: ${more}`} <${Moment} at=${at} began=${began} />${type === "run.queued" && point(0, false)}</li>`;
}

/** @param {{ step: Step, began: number, point: (after: number, isTalk: boolean) => unknown }} props */
function OneStep({ step, began, point }) {
  const { text, calls, usage, isFinished } = step;
  return html`
    <li class="step" data-step=${step.step}>
      <header><h3>Step ${step.step}</h3> ${step.at && html`<${Moment} at=${step.at} began=${began} />`}${usage.map((one) => html`<span class="hint">${one.model}, ${counted(one.prompt_tokens, "token")} read,
        ${" "}${one.completion_tokens} written${one.cost_usd !== null && `, ${one.cost_usd} USD`}</span>`)}</header>
      ${text && html`<p class="said">${text}</p>`}
      ${calls.map((call) => html`<${OneCall} key=${call.id} call=${call} />`)}
      ${(usage.length > 0 || isFinished) && point(step.step, !calls.length)}
    </li>`;
}

/** @param {{ call: import("./follow.js").Call }} props */
function OneCall({ call }) {
  const { name, result, failed, unknown, kept } = call;
  const state = result === null ? (kept ? "none" : "waiting") : kept ? "kept" : unknown ? "unknown" : failed ? "failed" : "done";
  const words = { none: "no result", kept: "answered", waiting: "not made yet", unknown: "nobody knows whether it happened", failed: "failed", done: "done" };
  return html`
    <details class="call" data-call=${name} data-state=${state} open=${failed || unknown}>
      <summary><span class=${`status ${KINDS[state]}`}><code>${name}</code> ${words[state]}</span>
        <span class="gist">${JSON.stringify(call.arguments)}</span></summary>
      <h4>Arguments</h4><pre tabindex="0">${JSON.stringify(call.arguments, null, 2)}</pre>
      ${result !== null && html`<h4>Result</h4><pre tabindex="0">${result.slice(0, SHOWN)}${result.length > SHOWN && `\n… ${counted(result.length - SHOWN, "more character")}`}</pre>`}
    </details>`;
}
