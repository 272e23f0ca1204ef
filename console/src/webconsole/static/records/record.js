// One record with everything: what was asked, what was answered, from which passages, by what, at which cost.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go } from "../app/router.js";
import { may } from "../app/session.js";
import { SaidTable } from "../feedback/table.js";
import { Answer } from "../parts/answer.js";
import { duration, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Receipt } from "../parts/receipt.js";
import { QuestionSet } from "../search/questions.js";
import { Again } from "./again.js";
import { End, rated } from "./list.js";

const MOST_SAID = 200;
const SET_NAME = 63;

/** @typedef {{ [name: string]: any }} Any */

/** @param {{ id: string }} props */
export function Record({ id }) {
  const record = useSignal(/** @type {Api.AnswerRecord | null} */ (null));
  const opinions = useSignal(/** @type {Api.Feedback[]} */ ([]));
  const problem = useSignal("");
  useEffect(() => {
    const stop = new AbortController();
    Promise.all([call("GET", ["records", id], { signal: stop.signal }), readOpinions(id)])
      .then(([found, said]) => {
        opinions.value = said;
        record.value = found;
      })
      .catch((error) => !stop.signal.aborted && (problem.value = error.message));
    return () => stop.abort();
  }, [id]);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  const found = record.value;
  if (!found) return html`<p class="hint" role="status">Looking …</p>`;
  return html`
    <header class="bar-of-choices">
      <h1>${found.question || (found.messages ? "An answer to no words of the caller" : "An answer without its words")}</h1>
      ${may("records:write") && html`<button class="quiet" onClick=${() => remove(id)}>Delete</button>`}
    </header>
    <p class="hint"><${End} record=${found} />${rated(found.rating)}, ${duration(found.ms)}, <time datetime=${found.at}>${when(found.at)}</time>${found.truncated && ", too large to be kept whole"}</p>
    ${found.error && html`<p class="problem">${found.error.code}${found.error.message && `: ${found.error.message}`}</p>`}
    ${found.answer && html`<section aria-labelledby="record-answer"><h2 id="record-answer">Answer</h2>
      <${Answer} text=${found.answer} citations=${found.annotations ?? []} open=${openHit} opened=${null} /></section>`}
    ${opinions.value.length > 0 && html`<section aria-labelledby="record-said"><h2 id="record-said">What people said</h2>
      <${SaidTable} rows=${opinions.value} /></section>`}
    ${(found.hits ?? []).length > 0 && html`<${Hits} hits=${found.hits} />`}
    ${(found.prompt_messages ?? []).length > 0 && html`<${Messages} messages=${found.prompt_messages ?? []} before=${found.prompt} />`}
    ${(found.messages ?? []).length > 1 && html`<${Messages} messages=${found.messages ?? []} />`}
    ${found.question && html`<${AsQuestion} record=${found} />`}
    ${found.messages && !found.truncated && may("chat") && html`<${Again} record=${found} />`}
    <${Facts} record=${found} />`;
}

/** What was said of it, as far as the key may see that. @param {string} id @returns {Promise<Api.Feedback[]>} */
async function readOpinions(id) {
  if (!may("feedback:write", "feedback:review")) return [];
  return all(["feedback"], { answer_id: id }, MOST_SAID).catch((error) => {
    say(error);
    return [];
  });
}

/** The name of a set for questions that were not asked of a collection: that of what was asked. @param {string} model */
function setOf(model) {
  return model.toLowerCase().replace(/^(agent|prompt):/, "").replace(/[^a-z0-9_-]+/g, "-").replace(/^[-_]+/, "").slice(0, SET_NAME) || "questions";
}

/** Into the question set of its collection, with the document that it cites first; else into that of what was asked.
 * @param {{ record: Api.AnswerRecord }} props */
function AsQuestion({ record }) {
  const cited = (record.hits ?? []).find((hit) => hit.cited);
  const collection = cited?.collection ?? record.collections?.[0];
  if (!collection) return html`<${QuestionSet} collection=${setOf(record.model)} query=${record.question} hit=${null} plain />`;
  const hit = cited ? { document_id: cited.document_id, title: cited.title || cited.document_id } : null;
  return html`<${QuestionSet} collection=${collection} query=${record.question} hit=${hit} without="No passage is cited:" />`;
}

/** Bring the passage of a citation into sight. @param {Api.Annotation} citation */
function openHit(citation) {
  const hit = document.getElementById(`hit-${citation.chunk_id}`);
  if (hit instanceof HTMLDetailsElement) hit.open = true;
  hit?.scrollIntoView({ block: "center" });
  hit?.querySelector("summary")?.focus();
}

/** @param {{ hits: any[] }} props */
function Hits({ hits }) {
  return html`
    <section aria-labelledby="record-hits"><h2 id="record-hits">Passages</h2>
      ${hits.map((hit) => html`
        <details class="call" id=${`hit-${hit.chunk_id}`}>
          <summary><span>${hit.number ? `${hit.number}. ` : ""}${hit.title || hit.document_id}</span>
            <span class="hint">${hit.collection}, revision ${hit.revision}${hit.page ? `, page ${hit.page}` : ""}${hit.cited ? ", cited" : ""}</span></summary>
          ${hit.text ? html`<p class="said">${hit.text}</p>` : html`<p class="hint">Its words are not kept.</p>`}
        </details>`)}
    </section>`;
}

/** What the caller sent, or what a prompt put before that. @param {{ messages: Any[], before?: string }} props */
function Messages({ messages, before }) {
  return html`
    <details class="call"><summary>${before ? `What the prompt ${before} says before the caller` : `All ${messages.length} messages`}</summary>
      ${messages.map(({ role, content }) => html`<h4>${role}</h4><p class="said">${textOf(content)}</p>`)}
    </details>`;
}

/** @param {unknown} content */
function textOf(content) {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map((part) => part?.text ?? `(${part?.type ?? "part"})`).join("\n") : "";
}

/** @param {{ record: Api.AnswerRecord }} props */
function Facts({ record }) {
  const rows = [
    ["Model", record.answered_by && record.answered_by !== record.model ? `${record.model}, worded by ${record.answered_by}` : record.model],
    ["Model digest", record.model_digest], ["Adapter", record.adapter], ["Prompt", record.prompt], ["Variant", record.variant],
    ["Collections", (record.collections ?? []).join(", ")], ["User", record.user], ["Key", record.key_id],
    ["Kept until", when(record.expires_at)], ["Record", record.id],
  ];
  return html`
    <section aria-labelledby="record-facts"><h2 id="record-facts">How it was made</h2>
      <dl>${rows.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
      <${Receipt} receipt=${receiptOf(record)} model=${record.model} ms=${record.ms} open />
      <details class="call"><summary>Receipt and report as JSON</summary>
        <pre>${JSON.stringify({ receipt: record.receipt, report: record.report, parameters: record.parameters }, null, 2)}</pre></details>
    </section>`;
}

/** The receipt, whole: a plain model's has no stages. @param {Api.AnswerRecord} record @returns {Api.Receipt} */
function receiptOf({ receipt, request_id, cache }) {
  const { tokens, ...known } = /** @type {Any} */ (receipt ?? {});
  const none = { request_id, cache, cost_usd: null, stages: [], attempts: [], degraded: [] };
  return /** @type {any} */ ({ ...none, ...known, tokens: { prompt: 0, completion: 0, embedding: 0, ...tokens } });
}

/** @param {string} id */
async function remove(id) {
  if (!confirm("Delete this record for ever?")) return;
  try {
    await call("DELETE", ["records", id]);
    go("records");
  } catch (error) {
    say(error);
  }
}
