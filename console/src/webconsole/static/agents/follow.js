// A run's events as they come, and the steps that they tell of.
import { send } from "../api/client.js";
import { events } from "../api/stream.js";

/** @typedef {{ id: number, type: string, step: number | null, data: any, created_at: string }} RunEvent */
/** `kept`: how it went is no longer known, only what came of it.
 * @typedef {{ id: string, name: string, arguments: unknown, result: string | null, failed: boolean, unknown: boolean, kept?: boolean }} Call */
/** `isFinished`: known to be, although nothing says what it used.
 * @typedef {{ kind: "step", step: number, text: string, calls: Call[], usage: any[], at: string, isFinished?: boolean }} Step */
/** @typedef {{ kind: "mark", type: string, data: any, at: string }} Mark */

const AGAIN_MS = 2000;
const FINAL = new Set(["run.completed", "run.failed", "run.cancelled", "run.limit_reached"]);

/** Every event of a run to its last, each once: a stream that breaks is taken up after the last that came. It ends, too,
 * where nothing can come: the run is over, and its events were pruned. Throws `ApiError`.
 * @param {string} thread @param {string} run @param {AbortSignal} stop @param {() => Promise<boolean>} isOver @returns {AsyncGenerator<RunEvent>} */
export async function* follow(thread, run, stop, isOver) {
  let last = 0;
  let over = false;
  for (;;) {
    const before = last;
    try {
      /** @type {Record<string, string>} */
      const headers = last ? { "Last-Event-ID": String(last) } : {};
      const answer = await send("GET", ["threads", thread, "runs", run, "events"], { headers, signal: stop });
      for await (const { event: kind, data } of events(/** @type {any} */ (answer.body))) {
        if (kind === "error" || !data) continue;
        const event = JSON.parse(data);
        last = event.id;
        yield event;
        if (FINAL.has(event.type)) return;
      }
      if (last === before) {
        if (over) return;
        over = await isOver();
        if (over) continue; // its last events may have been written since
      }
    } catch (error) {
      const { status = 0 } = /** @type {{ status?: number }} */ (error);
      if (stop.aborted || (status >= 400 && status < 500)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (stop.aborted) return;
  }
}

/** The timeline with one more event. @param {(Step | Mark)[]} timeline @param {RunEvent} event @returns {(Step | Mark)[]} */
export function extended(timeline, { type, step, data, created_at: at }) {
  if (step === null || step === undefined) {
    return type === "approval" ? timeline : [...timeline, { kind: "mark", type, data, at }];
  }
  const there = timeline.findIndex((one) => one.kind === "step" && one.step === step);
  const known = /** @type {Step | undefined} */ (timeline[there]);
  /** @type {Step} */
  const before = known ?? { kind: "step", step, text: "", calls: [], usage: [], at };
  const after = withEvent(before, type, data);
  return known ? timeline.map((one, number) => (number === there ? after : one)) : [...timeline, after];
}

/** @param {Step} step @param {string} type @param {any} data @returns {Step} */
function withEvent(step, type, data) {
  if (type === "step.started") return { ...step, text: "", calls: [] }; // again, where a process died in the middle
  if (type === "token") return { ...step, text: step.text + data.text };
  if (type === "usage") return { ...step, usage: [...step.usage, data] };
  if (type === "tool_call") {
    const call = { id: data.id, name: data.name, arguments: data.arguments, result: null, failed: false, unknown: false };
    return { ...step, calls: [...step.calls.filter(({ id }) => id !== data.id), call] };
  }
  if (type !== "tool_result") return step;
  const result = { result: data.content, failed: data.failed, unknown: data.unknown };
  return { ...step, calls: step.calls.map((call) => (call.id === data.id ? { ...call, ...result } : call)) };
}
