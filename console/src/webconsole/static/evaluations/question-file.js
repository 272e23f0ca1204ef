// Questions from a file, as a new set or into one that there is. What is wrong with the file, the server says with its place.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf, go } from "../app/router.js";
import { bytes, counted } from "../parts/format.js";
import { say } from "../parts/notice.js";

/** More than the server takes with one call by default. */
const MOST_BYTES = 16_000_000;
/** What sets and splits may be called. */
export const NAME = "[a-z0-9][a-z0-9_\\-]{0,62}";

/** @param {{ name: string, sets: Api.QuestionSet[], changed: () => Promise<void> }} props `name`: of the set that takes them; empty for a new one */
export function QuestionFile({ name, sets, changed }) {
  const problem = useSignal("");
  const busy = useSignal(false);
  const set = sets.find((one) => one.name === name);

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    problem.value = "";
    busy.value = true;
    try {
      const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
      const saved = await call("POST", ["question-sets"], { json: await bodyOf(form, name) });
      say(`Question set “${saved.name}” has ${counted(saved.questions, "question")} in version ${saved.version}.${left(saved.skipped)}`);
      await changed();
      go("evaluations", "sets", saved.name);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  return html`
    <h1>${name ? `Questions for ${name}` : "New question set"}</h1>
    <form class="editor" onSubmit=${submit} aria-label="Questions from a file">
      ${!name && html`<label>Name <input name="name" required pattern=${NAME} autocomplete="off" title="Small letters, digits, - and _; it begins with a letter or a digit" /></label>
        <label>What it is about <input name="description" maxlength="2000" autocomplete="off" /></label>`}
      <label>File of JSON lines, or CSV with a header <input name="file" type="file" required accept=".jsonl,.ndjson,.json,.csv,.txt" /></label>
      ${set && html`<fieldset><legend>The ${counted(set.questions, "question")} of version ${set.version}</legend>
        <label class="check"><input type="radio" name="append" value="yes" defaultChecked /> stay; one whose id the file gives is replaced</label>
        <label class="check"><input type="radio" name="append" value="" /> are only in older versions from now on</label></fieldset>`}
      <label class="check"><input type="checkbox" name="skip" value="yes" /> Leave out questions that ask the same as another, instead of refusing the file</label>
      ${problem.value && html`<p class="problem said" role="alert">${problem.value}</p>`}
      <p><button class="primary" disabled=${busy.value}>${busy.value ? "Reading …" : "Save"}</button>
        <a class="button quiet" href=${name ? addressOf("evaluations", "sets", name) : addressOf("evaluations")}>Cancel</a></p>
    </form>
    <p class="hint">A line of JSON is a question: {"question": "How many days of leave?", "answers": ["27 days"], "documents": ["leave-policy.md"], "labels": ["leave"], "split": "test"}.
      {"question": "…", "answerable": false} is one that no document answers. In CSV the header names the same fields. Nothing of a file is saved if a line of it is wrong.</p>`;
}

/** @param {FormData} form @param {string} name @returns {Promise<Api.QuestionSetCreate>} */
async function bodyOf(form, name) {
  const file = /** @type {File} */ (form.get("file"));
  if (file.size > MOST_BYTES) throw new Error(`${file.name} has ${bytes(file.size)}; a file has at most ${bytes(MOST_BYTES)}. Cut it into several.`);
  const text = await file.text();
  /** @type {"csv" | "jsonl"} */
  const format = /\.csv$/i.test(file.name) ? "csv" : "jsonl";
  const description = String(form.get("description") ?? "").trim();
  return {
    name: name || String(form.get("name")),
    ...(description && { description }),
    append: Boolean(form.get("append")),
    duplicates: form.get("skip") ? "skip" : "refuse",
    file: { format, name: file.name.slice(-200), text },
  };
}

/** @param {Api.SkippedQuestion[]} skipped */
function left(skipped) {
  return skipped.length ? ` ${counted(skipped.length, "question")} that ${skipped.length === 1 ? "asks" : "ask"} the same as another ${skipped.length === 1 ? "was" : "were"} left out.` : "";
}
