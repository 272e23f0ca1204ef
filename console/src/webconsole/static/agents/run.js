// One run: how it does, what it did, what it waits for.
import { call, newKey } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressWith } from "../app/router.js";
import { counted, duration, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Approval } from "./approval.js";
import { extended, follow } from "./follow.js";
import { readKept } from "./kept.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./follow.js").Step | import("./follow.js").Mark} Item */

export const LIVE = new Set(["queued", "running", "waiting_approval"]);
const WORDS = /** @type {Record<string, string>} */ ({ waiting_approval: "waits for a decision", limit_reached: "ended by a limit" });

/** @param {{ status: string }} props */
export function Status({ status }) {
  const kind = status === "completed" ? "" : status === "failed" || status === "limit_reached" ? "failed" : status === "cancelled" ? "cancelled" : "queued";
  return html`<span class=${`status ${kind}`} data-status=${status}>${WORDS[status] ?? status}</span>`;
}

/** The address of a run. @param {{ agent: string, thread_id: string, id: string }} run */
export function addressOfRun({ agent, thread_id: thread, id }) {
  return addressWith(["agents", agent], { thread, run: id });
}

/** Start a run, on a new thread unless one is given. @param {string} agent @param {string} input @param {string} [thread] */
export async function startRun(agent, input, thread) {
  const where = thread ?? (await call("POST", ["threads"], { json: {} })).id;
  const run = await call("POST", ["threads", where, "runs"], { json: { agent, input } });
  location.hash = addressOfRun(run);
}

/** @param {{ thread: string, id: string }} props */
export function Run({ thread, id }) {
  const run = useSignal(/** @type {Api.Run | null} */ (null));
  const timeline = useSignal(/** @type {Item[]} */ ([]));
  const pruned = useSignal(false);
  const problem = useSignal("");
  const read = async () => (run.value = await call("GET", ["threads", thread, "runs", id]));

  useEffect(() => {
    const stop = new AbortController();
    const show = (/** @type {Item[]} */ items, isPruned = false) => {
      pruned.value = isPruned;
      timeline.value = items;
    };
    watch(thread, id, stop.signal, read, show).catch((error) => {
      if (!stop.signal.aborted) problem.value = error.message;
    });
    return () => stop.abort();
  }, [thread, id]);

  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!run.value) return html`<p class="hint" role="status">Looking …</p>`;
  const one = run.value;
  const isLive = LIVE.has(one.status);
  return html`
    <article class="run" aria-label="Run">
      <header class="bar-of-choices">
        <h2 class="question">${one.input}</h2>
        <span role="status"><${Status} status=${one.status} /></span>
        ${isLive && html`<button class="danger" onClick=${() => cancel(one)}>Cancel the run</button>`}
      </header>
      <p class="hint">${one.agent} version ${one.agent_version}${one.prompt && `, instructed by ${one.prompt}`}, ${when(one.created_at)}. ${counted(one.steps, "step")},
        ${" "}${counted(one.tool_calls, "call")}, ${counted(one.usage.total_tokens, "token")}, ${one.usage.cost_usd === null ? "no price known" : `${one.usage.cost_usd} USD`},
        ${" "}${duration(one.active_seconds * 1000)} at work${one.attempts > 1 && `, taken up ${counted(one.attempts - 1, "time")} again`}</p>
      ${one.replayed_from && html`<p class="hint">Goes on from <a href=${addressOfRun({ agent: one.agent, thread_id: one.replayed_from.thread_id, id: one.replayed_from.run_id })}>another run</a>
        ${one.replayed_from.after ? ` after its step ${one.replayed_from.after}` : " at its beginning"}. What it took over is on its thread; the steps below are its own.</p>`}
      ${one.error && html`<p class="problem" role="alert">${one.error.message}</p>`}
      ${one.status === "waiting_approval" && one.pending_tool_calls.length > 0 && html`<${Approval} key=${one.pending_tool_calls[0].id} run=${one} decided=${() => read().catch(say)} />`}
      ${pruned.value && html`<p class="hint" role="note">Its events were pruned since it ended. These are the steps as its thread keeps them: without times,
        tokens and decisions by step.</p>`}
      <${Timeline} timeline=${timeline.value} isLive=${isLive} point=${isLive ? undefined : (/** @type {number} */ after, /** @type {boolean} */ isTalk) => html`<${Replay} run=${one} after=${after} isAnswer=${isTalk && after === one.steps} />`} />
      ${one.output && html`<section aria-label="Output"><h3>Output</h3><p class="said output">${one.output}</p></section>`}
      ${!isLive && html`
        <${Starter} agent=${one.agent} thread=${thread} label="Go on in this thread" />
        <details class="again"><summary>Run it again</summary><${Starter} agent=${one.agent} label="Run again, on a new thread" text=${one.input} /></details>`}
    </article>`;
}

/** Tell of a run to its end, at most once a frame: a long one has thousands of events. Of one whose events were pruned, what is kept.
 * @param {string} thread @param {string} id @param {AbortSignal} stop
 * @param {() => Promise<Api.Run>} read @param {(items: Item[], isPruned?: boolean) => void} show */
async function watch(thread, id, stop, read, show) {
  let items = /** @type {Item[]} */ ([]);
  let frame = 0;
  const draw = () => {
    frame = 0;
    if (!stop.aborted) show(items);
  };
  let run = await read();
  const isOver = async () => !LIVE.has((run = await read()).status);
  for await (const event of follow(thread, id, stop, isOver)) {
    items = extended(items, event);
    frame ||= requestAnimationFrame(draw);
    if (LIVE.has(run.status) && event.type.startsWith("run.") && event.type !== "run.queued") run = await read();
  }
  cancelAnimationFrame(frame);
  if (items.length) return draw();
  const kept = await readKept(run);
  if (!stop.aborted) show(kept, true);
}

/** @param {Api.Run} run */
function cancel(run) {
  call("POST", ["threads", run.thread_id, "runs", run.id, "cancel"]).catch(say);
}

/** Goes on from a point of a run that has ended; after its answer only with something to say.
 * @param {{ run: Api.Run, after: number, isAnswer: boolean }} props */
function Replay({ run, after, isAnswer }) {
  const busy = useSignal(false);
  const sent = useRef({ text: "", key: "" });
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    busy.value = true;
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const input = String(form.get("input")).trim();
    const json = { after, input: input || null, agent_version: form.has("current") ? /** @type {"current"} */ ("current") : null };
    const text = JSON.stringify(json);
    if (sent.current.text !== text) sent.current = { text, key: newKey() };
    try {
      const headers = { "Idempotency-Key": sent.current.key }; // the same again, after a broken connection, is one run
      location.hash = addressOfRun(await call("POST", ["threads", run.thread_id, "runs", run.id, "replay"], { json, headers }));
      sent.current.text = "";
    } catch (error) {
      say(error);
    }
    busy.value = false;
  }
  const label = after ? `Say this after step ${after}` : run.replayed_from?.after ? "Say this after what was taken over" : "Ask this instead";
  return html`
    <details class="again">
      <summary>Replay from here</summary>
      <p class="hint">On a new thread. What was done until here is taken over and not done again; what comes after it is, side effects included.</p>
      <form onSubmit=${submit}>
        <label class="hint"><input type="checkbox" name="current" /> with the agent as it is now, not version ${run.agent_version}</label>
        <div class="ask">
          <textarea name="input" rows="2" aria-label=${label} required=${isAnswer} placeholder=${`${label}${isAnswer ? "" : " (optional)"} …`}></textarea>
          <button class="primary" disabled=${busy.value}>Replay</button>
        </div>
      </form>
    </details>`;
}

/** Asks an agent. @param {{ agent: string, thread?: string, label: string, text?: string }} props */
export function Starter({ agent, thread, label, text = "" }) {
  const busy = useSignal(false);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    busy.value = true;
    const form = /** @type {HTMLFormElement} */ (event.target);
    try {
      await startRun(agent, String(new FormData(form).get("input")).trim(), thread);
      form.reset();
    } catch (error) {
      say(error);
    }
    busy.value = false;
  }
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    /** @type {HTMLTextAreaElement} */ (event.target).form?.requestSubmit();
  };
  return html`
    <form class="ask" onSubmit=${submit}>
      <textarea name="input" rows="2" required aria-label=${label} placeholder=${`${label} …`} defaultValue=${text} onKeyDown=${onKey}></textarea>
      <button class="primary" disabled=${busy.value}>Run</button>
    </form>`;
}
