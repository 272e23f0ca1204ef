// A question to be corrected or added. Its id stays, so that two evaluations of either version are paired by it.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { NAME } from "./question-file.js";

const KNOWN = [["", "is not known"], ["yes", "stands in the documents"], ["no", "does not stand in the documents"]];

/** @param {{ set: string, item: Api.QuestionRecord | null, saved: () => Promise<void>, cancel: () => void }} props */
export function QuestionEditor({ set, item, saved, cancel }) {
  const answers = useSignal(item?.answers.length ? item.answers : [""]);
  const problem = useSignal("");
  const busy = useSignal(false);
  const typed = useRef(false);
  useEffect(() => askBeforeLeaving(() => typed.current), []);
  const known = item?.answerable === false ? "no" : item?.answerable ? "yes" : "";

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
      const made = await call("POST", ["question-sets"], { json: { name: set, append: true, items: [itemOf(form, item)] } });
      say(`Version ${made.version} of ${set} has it.`);
      await saved();
      cancel();
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <form class="editor" onSubmit=${submit} aria-label=${item ? "Correct a question" : "Add a question"} onInput=${() => (typed.current = true)}>
      ${item?.turns?.slice(0, -1).map(({ role, content }) => html`<p class="said"><span class="hint">${role}: </span>${content}</p>`)}
      <label>Question <textarea name="question" required rows="2" maxlength="32768" ref=${focused} defaultValue=${item ? (item.question ?? item.turns?.at(-1)?.content) : ""}></textarea></label>
      ${answers.value.map((text, at) => html`
        <label key=${at}>${at ? "Or this answer" : "Answer that is right; empty: not known"} <textarea name="answer" rows="2" maxlength="32000" defaultValue=${text}></textarea></label>`)}
      <p><button type="button" class="quiet" onClick=${() => (answers.value = [...answers.value, ""])}>Another answer that is right</button></p>
      <label>Documents that answer it, one a line; “name = 2” gives one a grade <textarea name="documents" rows="2" defaultValue=${Object.entries(item?.documents ?? {}).map(graded).join("\n")}></textarea></label>
      <label>The answer <select name="answerable">${KNOWN.map(([value, title]) => html`<option value=${value} selected=${value === known}>${title}</option>`)}</select></label>
      <label>Split <input name="split" maxlength="63" pattern=${NAME} placeholder="train, test or one of your own" defaultValue=${item?.split ?? ""} /></label>
      <label>Labels, one a line <textarea name="labels" rows="2" defaultValue=${(item?.labels ?? []).join("\n")}></textarea></label>
      ${problem.value && html`<p class="problem said" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>Save as a new version</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button></p>
    </form>`;
}

/** @param {FormData} form @param {Api.QuestionRecord | null} item @returns {Api.QuestionItem} */
function itemOf(form, item) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const question = text("question");
  const answerable = text("answerable");
  return {
    ...(item && { id: item.id, metadata: item.metadata }),
    ...(item?.turns ? { turns: [...item.turns.slice(0, -1), { role: /** @type {const} */ ("user"), content: question }] } : { question }),
    answers: form.getAll("answer").map(String).filter((answer) => answer.trim()),
    documents: documentsIn(text("documents")),
    ...(answerable && { answerable: answerable === "yes" }),
    ...(text("split") && { split: text("split") }),
    labels: text("labels").split("\n").map((label) => label.trim()).filter(Boolean),
  };
}

const GRADED = /^\s*(.+?)(?:\s+=\s+(\d+))?\s*$/;

/** A document as a line. @param {[string, number]} document */
function graded([id, grade]) {
  return grade === 1 && !GRADED.exec(id)?.[2] ? id : `${id} = ${grade}`;
}

/** @param {string} text @returns {Record<string, number>} */
function documentsIn(text) {
  const lines = text.split("\n").map((line) => GRADED.exec(line)).filter((one) => one !== null);
  return Object.fromEntries(lines.map(([, id, grade]) => [id, grade ? Number(grade) : 1]));
}
