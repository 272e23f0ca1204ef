// Two answers as A and B, and the choice between them. Nothing that is drawn says whose they are before it is made.
import { html, useLayoutEffect, useRef, useSignal } from "../app/html.js";
import { compare, rate } from "../feedback/said.js";
import { Answer } from "../parts/answer.js";
import { counted, duration } from "../parts/format.js";
import { focused, useKeys } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { Sources } from "../parts/sources.js";

const LETTERS = ["A", "B"];
/** Each with its key. @typedef {"first" | "second" | "equal" | "bad"} Choice @type {[Choice, string, string][]} */
const CHOICES = [["first", "A is better", "1"], ["second", "B is better", "2"], ["equal", "Equal", "0"], ["bad", "Both bad", "3"]];
const WORDS = { first: "A was better", second: "B was better", equal: "They were equal", bad: "Both were bad" };

/** @param {{ asked: import("./ask.js").Asked, isLast: boolean, again: () => void, next: () => void, done: () => void, open: (one: Api.Annotation) => void, opened: Api.Annotation | null }} props
 * `isLast`: whether no other question is left */
export function Pair({ asked: { question, answers, hindrance }, isLast, again, next, done, open, opened }) {
  const chosen = useSignal(/** @type {Choice | null} */ (null));
  const sending = useSignal(false);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const isOpen = !hindrance && !chosen.value;
  /** @param {Choice} choice */
  const choose = async (choice) => {
    if (sending.peek() || chosen.peek()) return;
    sending.value = true;
    try {
      await keep(choice, answers);
      chosen.value = choice;
      done();
    } catch (error) {
      say(error);
    }
    sending.value = false;
  };
  useLayoutEffect(() => {
    if (isOpen) box.current?.focus(); // a key that is pressed now is a choice
  }, []);
  useKeys(({ key: pressed }) => {
    const choice = CHOICES.find(([, , key]) => key === pressed)?.[0];
    if (choice && isOpen) choose(choice);
  });
  return html`
    <article class="turn" aria-label="Two answers" tabindex="-1" ref=${box}>
      <h2 class="question">${question}</h2>
      ${hindrance
        ? html`<p class="hint" role="status">${hindrance}</p>`
        : html`<div class="pair">${answers.map((one, side) => html`<${Side} letter=${LETTERS[side]} answer=${one} named=${chosen.value !== null} open=${open} opened=${opened} />`)}</div>`}
      ${chosen.value && html`<p role="status">${WORDS[chosen.value]}. A was ${answers[0].model}, B was ${answers[1].model}.</p>`}
      <footer class="actions">
        ${isOpen && CHOICES.map(([choice, title, key]) => html`<button disabled=${sending.value} aria-keyshortcuts=${key} onClick=${() => choose(choice)}>${title} <kbd>${key}</kbd></button>`)}
        ${hindrance && html`<button onClick=${again}>Ask again</button>`}
        ${isOpen
          ? html`<button class="quiet" onClick=${next}>Skip</button>`
          : html`<button class="primary" ref=${focused} onClick=${next}>${isLast ? "Done" : "Next question"}</button>`}
      </footer>
    </article>`;
}

/** @param {{ letter: string, answer: import("./ask.js").Outcome, named: boolean, open: (one: Api.Annotation) => void, opened: Api.Annotation | null }} props */
function Side({ letter, answer: { model, text, citations, ms, tokens }, named, open, opened }) {
  return html`
    <section aria-label=${`Answer ${letter}`}>
      <h3>${letter}${named && `: ${model}`}</h3>
      <${Answer} text=${text} citations=${citations} open=${open} opened=${opened} />
      <${Sources} title="Sources" listed=${citations} open=${open} />
      ${named && html`<p class="hint">${duration(ms)}${tokens ? `, ${counted(tokens, "token")}` : ""}</p>`}
    </section>`;
}

/** Keep what was chosen, on the answer that is better; sent again it is the same. @param {Choice} choice @param {import("./ask.js").Asked["answers"]} answers */
async function keep(choice, [a, b]) {
  const [better, other] = choice === "second" ? [b, a] : [a, b];
  if (choice === "first" || choice === "second") return compare({ answer_id: better.id, preferred_over: other.id });
  await compare({ answer_id: a.id, tied_with: b.id, ...(choice === "bad" && { rating: /** @type {const} */ ("down") }) });
  if (choice === "bad") await rate(b.id, { rating: "down" });
}
