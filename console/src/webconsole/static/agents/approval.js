// Calls that wait for a person: approve, change or reject each, then all go at once.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";

/** @typedef {{ action: "" | "approve" | "reject", text: string, message: string }} Choice */

/** @param {{ run: Api.Run, decided: () => void }} props */
export function Approval({ run, decided }) {
  const pending = run.pending_tool_calls;
  const choices = useSignal(/** @type {Record<string, Choice>} */ ({}));
  const problem = useSignal("");
  const busy = useSignal(false);
  /** @param {Api.PendingToolCall} one @returns {Choice} */
  const choiceOf = (one) => choices.value[one.id] ?? { action: "", text: JSON.stringify(one.arguments, null, 2), message: "" };
  /** @param {Api.PendingToolCall} one @param {Partial<Choice>} change */
  const set = (one, change) => (choices.value = { ...choices.value, [one.id]: { ...choiceOf(one), ...change } });

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const decisions = pending.map((one) => decisionOf(one, choiceOf(one)));
      await call("POST", ["threads", run.thread_id, "runs", run.id, "resume"], { json: { decisions } });
      decided();
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="approval" onSubmit=${submit} aria-label="Calls that wait for you">
      <h2>${pending.length === 1 ? "A call waits" : `${pending.length} calls wait`} for your decision</h2>
      ${pending.map((one) => {
        const { action, text, message } = choiceOf(one);
        const name = `decision-${one.id}`;
        return html`
          <fieldset key=${one.id} data-pending=${one.name}>
            <legend><code>${one.name}</code></legend>
            ${one.reason === "outcome_unknown" && html`<p class="hint noted">It was begun, and nobody knows whether it happened. Approving makes it again.</p>`}
            <textarea aria-label=${`Arguments of ${one.name}`} rows=${Math.min(12, text.split("\n").length)} spellcheck="false" value=${text}
              onInput=${(/** @type {any} */ event) => set(one, { text: event.target.value })}></textarea>
            <p class="choices">
              <label><input type="radio" required name=${name} checked=${action === "approve"} onChange=${() => set(one, { action: "approve" })} />
                ${isEdited(one, text) ? "Approve as edited" : "Approve"}</label>
              <label><input type="radio" required name=${name} checked=${action === "reject"} onChange=${() => set(one, { action: "reject" })} /> Reject</label>
              ${action === "reject" && html`<input aria-label="What the model is told" placeholder="why, for the model (optional)" maxlength="10000"
                value=${message} onInput=${(/** @type {any} */ event) => set(one, { message: event.target.value })} />`}
            </p>
          </fieldset>`;
      })}
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Go on with this</button></p>
    </form>`;
}

/** @param {Api.PendingToolCall} one @param {string} text */
function isEdited(one, text) {
  try {
    return JSON.stringify(JSON.parse(text)) !== JSON.stringify(one.arguments);
  } catch {
    return true;
  }
}

/** @param {Api.PendingToolCall} one @param {Choice} choice @returns {Api.Decision} */
function decisionOf(one, { action, text, message }) {
  const about = { tool_call_id: one.id };
  if (action === "reject") return { ...about, action, ...(message.trim() && { message: message.trim() }) };
  if (!isEdited(one, text)) return { ...about, action: "approve" };
  try {
    return { ...about, action: "edit", arguments: JSON.parse(text) };
  } catch (error) {
    throw new Error(`The arguments of ${one.name} are no JSON: ${/** @type {Error} */ (error).message}`);
  }
}
