// Why an answer was good or bad, what it should have said, and which of its sources are wrong.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { say } from "../parts/notice.js";
import { keyOf, markWrong, rate, said, takeBack } from "./said.js";

const WRONG_SOURCE = "wrong_source";

/** @param {{ answer: import("./thumbs.js").Judged, close: () => void }} props */
export function Form({ answer, close }) {
  const labels = useSignal(/** @type {string[]} */ ([]));
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const sending = useSignal(false);
  const mine = said.value?.get(answer.id);
  useEffect(() => {
    call("GET", ["feedback", "labels"])
      .then((found) => (labels.value = found.labels.filter((label) => label !== WRONG_SOURCE)))
      .catch(say);
  }, []);

  /** @param {Event} event */
  async function save(event) {
    event.preventDefault();
    const data = new FormData(/** @type {HTMLFormElement} */ (form.current));
    const text = (/** @type {string} */ name) => String(data.get(name) ?? "").trim() || null;
    const chosen = data.getAll("label").map(String);
    const judgement = { labels: chosen, comment: text("comment"), correction: text("correction") };
    sending.value = true;
    try {
      if (mine?.rating || chosen.length || judgement.comment || judgement.correction) await rate(answer.id, judgement);
      await saveSources(new Set(data.getAll("wrong").map(Number)));
      say("Thank you. What you said is kept.");
      close();
    } catch (error) {
      say(error);
    } finally {
      sending.value = false;
    }
  }

  /** @param {Set<number>} wrong */
  async function saveSources(wrong) {
    for (const number of answer.citations.keys()) {
      const before = said.value?.get(keyOf(answer.id, number));
      if (wrong.has(number) && !before) await markWrong(answer.id, number);
      if (!wrong.has(number) && before) await takeBack(before);
    }
  }
  return html`
    <form class="judgement" ref=${form} onSubmit=${save} aria-label="What was good or bad">
      <fieldset>
        <legend>What was it?</legend>
        ${labels.value.map((label) => html`
          <label class="check"><input type="checkbox" name="label" value=${label} defaultChecked=${mine?.labels.includes(label)} /> ${label.replaceAll("_", " ")}</label>`)}
      </fieldset>
      ${answer.citations.length > 0 && html`
        <fieldset>
          <legend>Wrong sources</legend>
          ${answer.citations.map(({ marker, title, quote }, number) => html`
            <label class="check"><input type="checkbox" name="wrong" value=${number} defaultChecked=${Boolean(said.value?.get(keyOf(answer.id, number)))} />
              <span><strong>${marker.replace(/[[\]]/g, "")} ${title}</strong> <span class="quote">${quote}</span></span></label>`)}
        </fieldset>`}
      <label>What should it have said? <textarea name="correction" rows="3" maxlength="32000" defaultValue=${mine?.correction ?? ""}></textarea></label>
      <label>Comment <textarea name="comment" rows="2" maxlength="4000" defaultValue=${mine?.comment ?? ""}></textarea></label>
      <p><button class="primary" disabled=${sending.value}>Send</button> <button type="button" class="quiet" onClick=${close}>Cancel</button></p>
    </form>`;
}
