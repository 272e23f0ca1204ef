// A run's steps as its thread keeps them: all that there is of them once the run's events were pruned.
import { all } from "../api/client.js";

/** @typedef {import("./follow.js").Step} Step */
/** @typedef {import("./follow.js").Mark} Mark */

const MOST_MESSAGES = 10_000;

/** Its beginning, its steps, its end. Throws `ApiError`. @param {Api.Run} run @returns {Promise<(Step | Mark)[]>} */
export async function readKept(run) {
  const messages = await all(["threads", run.thread_id, "history"], { run_id: run.id }, MOST_MESSAGES);
  const end = { type: `run.${run.status}`, data: { error: run.error, limit: run.limit }, at: run.finished_at ?? run.created_at };
  return [
    { kind: "mark", type: "run.queued", data: null, at: run.created_at },
    ...stepsOf(messages).map((step) => ({ ...step, isFinished: step.step <= run.steps })),
    { kind: "mark", ...end },
  ];
}

/** A step is one message of the model with the results of its calls. @param {Api.HistoryMessage[]} messages @returns {Step[]} */
function stepsOf(messages) {
  /** @type {Step[]} */
  const steps = [];
  for (const { role, content, tool_calls: made, tool_call_id: answers } of messages) {
    if (role === "assistant") {
      const calls = (made ?? []).map((call) => ({ ...call, result: null, failed: false, unknown: false, kept: true }));
      steps.push({ kind: "step", step: steps.length + 1, text: content, calls, usage: [], at: "" });
    }
    const call = role === "tool" && steps.at(-1)?.calls.find(({ id }) => id === answers);
    if (call) call.result = content;
  }
  return steps;
}
