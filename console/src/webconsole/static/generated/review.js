// What a run has made, to be accepted, corrected or rejected, each beside its passage; accepted ones are saved as a version.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { addressOf, go } from "../app/router.js";
import { may } from "../app/session.js";
import { Clipped } from "../evaluations/expected.js";
import { isLive } from "../evaluations/run-list.js";
import { counted } from "../parts/format.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";

const PAGE = 20;
const STATES = /** @type {const} */ (["proposed", "accepted", "rejected", "saved", "stale", "dropped"]);
const TITLES = { proposed: "to be reviewed", accepted: "accepted", rejected: "rejected", saved: "saved", stale: "whose document has changed", dropped: "that came to nothing" };

/** @param {{ run: Api.Generation, renew: () => void, changed: () => Promise<void> }} props */
export function Review({ run, renew, changed }) {
  const { id, question_set: set, states } = run;
  const shown = useSignal(/** @type {typeof STATES[number]} */ (STATES.find((one) => states[one]) ?? "proposed"));
  const items = useSignal(/** @type {Api.GeneratedQuestion[] | null} */ (null));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const problem = useSignal("");
  const busy = useSignal(false);
  const mayReview = may("evaluations:write");
  /** @param {boolean} more */
  const read = async (more) => {
    const of = shown.value;
    try {
      const query = { state: of, limit: PAGE, cursor: more ? cursor.value : "" };
      const page = await call("GET", ["question-sets", set, "generations", id, "items"], { query });
      if (of !== shown.value) return;
      items.value = [...(more ? (items.value ?? []) : []), ...page.data];
      cursor.value = page.next_cursor;
      problem.value = "";
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  };
  const made = run.kept + run.kept_near_misses;
  useEffect(() => void read(false), [shown.value, shown.value === "proposed" && made]);
  /** @param {Api.GenerationReview} review */
  const decide = async (review) => {
    await call("POST", ["question-sets", set, "generations", id, "review"], { json: review });
    const gone = new Set((review.decisions ?? []).filter(({ state }) => state !== shown.value).map(({ number }) => number));
    items.value = (items.value ?? []).filter(({ number }) => !gone.has(number));
    if (review.accept_all || !items.value.length || !gone.size) await read(false);
    renew();
  };
  const acceptAll = () => decide({ accept_all: true }).catch(say);
  const save = async () => {
    busy.value = true;
    try {
      const saved = await call("POST", ["question-sets", set, "generations", id, "save"]);
      say(`Version ${saved.version} of ${set} has them.`);
      await changed();
      go("evaluations", "sets", set);
    } catch (error) {
      say(error);
    }
    busy.value = false;
  };
  const [left, accepted] = [states.proposed ?? 0, states.accepted ?? 0];
  return html`
    <section aria-labelledby="review">
      <header class="bar-of-choices"><h2 id="review">Review</h2>
        <label>Questions <select onChange=${(/** @type {any} */ event) => ((items.value = null), (shown.value = event.target.value))}>
          ${STATES.map((one) => html`<option value=${one} selected=${one === shown.value}>${TITLES[one]} (${(states[one] ?? 0).toLocaleString()})</option>`)}</select></label>
        ${mayReview && left > 0 && html`<button onClick=${acceptAll}>Accept all ${left.toLocaleString()} that are left</button>`}
        ${mayReview && accepted > 0 && html`<button class="primary" disabled=${busy.value} onClick=${save}>Save ${counted(accepted, "question")} in ${set}</button>`}
      </header>
      ${problem.value && html`<p class="problem" role="alert">${problem.value} <button onClick=${() => read(false)}>Try again</button></p>`}
      ${items.value === null && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
      ${items.value?.length === 0 && html`<p class="hint">${isLive(run) && shown.value === "proposed" ? "None yet; they come as they are made." : "None."}</p>`}
      <ol class="generated">${(items.value ?? []).map((item) => html`<${Item} key=${item.number} item=${item} mayReview=${mayReview} decide=${decide} />`)}</ol>
      ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>Show more</button>`}
    </section>`;
}

/** @param {{ item: Api.GeneratedQuestion, mayReview: boolean, decide: (review: Api.GenerationReview) => Promise<void> }} props */
function Item({ item, mayReview, decide }) {
  const { number, state, question, answers, answerable, span, why, reason, corrected } = item;
  const edited = useSignal(false);
  const decideOn = (/** @type {"accepted" | "rejected" | "proposed"} */ to) => decide({ decisions: [{ number, state: to }] }).catch(say);
  const isOpen = state === "proposed" || state === "accepted" || state === "rejected";
  const named = (question ?? "").slice(0, 60);
  if (edited.value) return html`<li><${Correction} item=${item} decide=${decide} cancel=${() => (edited.value = false)} /></li>`;
  return html`
    <li data-number=${number}>
      <p class="said"><b>${question ?? "(no question)"}</b> <span class="hint">made by ${item.made_by === "rule" ? "a rule" : "the model"}${corrected && ", corrected"}${reason && `, dropped: ${reason}`}</span></p>
      ${answerable ? answers.map((answer) => html`<${Clipped} text=${answer} before="Answer: " />`) : html`<p>Expected: <em>that no document answers it</em></p>`}
      ${span && html`<blockquote><${Clipped} text=${span.text} /></blockquote>
        <p class="hint">from <a href=${addressOf("documents", span.collection, span.document_id)}>${span.title || span.document_id}</a>${span.heading_path.length > 0 && `, ${span.heading_path.join(" › ")}`}</p>`}
      ${why && html`<p class="hint">${why}</p>`}
      ${mayReview && isOpen && html`<p class="actions">
        ${state !== "accepted" && html`<button aria-label=${`Accept “${named}”`} onClick=${() => decideOn("accepted")}>Accept</button>`}
        <button class="quiet" aria-label=${`Correct “${named}”`} onClick=${() => (edited.value = true)}>Correct</button>
        ${state !== "rejected" && html`<button class="quiet" aria-label=${`Reject “${named}”`} onClick=${() => decideOn("rejected")}>Reject</button>`}
        ${state !== "proposed" && html`<button class="quiet" aria-label=${`Take back “${named}”`} onClick=${() => decideOn("proposed")}>Take back</button>`}</p>`}
    </li>`;
}

/** @param {{ item: Api.GeneratedQuestion, decide: (review: Api.GenerationReview) => Promise<void>, cancel: () => void }} props */
function Correction({ item, decide, cancel }) {
  const problem = useSignal("");
  const typed = useRef(false);
  useEffect(() => askBeforeLeaving(() => typed.current), []);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const answers = form.getAll("answer").map(String).filter((answer) => answer.trim());
    try {
      typed.current = false;
      await decide({ decisions: [{ number: item.number, state: "accepted", question: String(form.get("question")).trim(), ...(item.answerable && { answers }) }] });
      cancel();
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  }
  return html`
    <form class="editor" onSubmit=${submit} aria-label="Correct a question" onInput=${() => (typed.current = true)}>
      <label>Question <textarea name="question" required rows="2" maxlength="32768" ref=${focused} defaultValue=${item.question ?? ""}></textarea></label>
      ${item.answerable && item.answers.map((text) => html`<label>Answer that is right <textarea name="answer" required rows="2" maxlength="32000" defaultValue=${text}></textarea></label>`)}
      ${item.span && html`<blockquote><${Clipped} text=${item.span.text} /></blockquote>`}
      ${problem.value && html`<p class="problem said" role="alert">${problem.value}</p>`}
      <p><button class="primary">Accept as corrected</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}
