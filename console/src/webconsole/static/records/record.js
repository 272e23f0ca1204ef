// One record with everything: what was asked, what was answered, from which passages, by what, at which cost.
import { call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go } from "../app/router.js";
import { may } from "../app/session.js";
import { Answer } from "../parts/answer.js";
import { duration, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { QuestionSet } from "../search/questions.js";
import { Again } from "./again.js";
import { End } from "./list.js";

/** @typedef {{ [name: string]: any }} Any */

/** @param {{ id: string }} props */
export function Record({ id }) {
  const record = useSignal(/** @type {Api.AnswerRecord | null} */ (null));
  const problem = useSignal("");
  useEffect(() => {
    const stop = new AbortController();
    call("GET", ["records", id], { signal: stop.signal })
      .then((found) => (record.value = found))
      .catch((error) => !stop.signal.aborted && (problem.value = error.message));
    return () => stop.abort();
  }, [id]);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  const found = record.value;
  if (!found) return html`<p class="hint" role="status">Looking …</p>`;
  return html`
    <header class="bar-of-choices">
      <h1>${found.question ?? "An answer without its words"}</h1>
      ${may("records:write") && html`<button class="quiet" onClick=${() => remove(id)}>Delete</button>`}
    </header>
    <p class="hint"><${End} record=${found} />, ${duration(found.ms)}, <time datetime=${found.at}>${when(found.at)}</time>${found.truncated && ", too large to be kept whole"}</p>
    ${found.error && html`<p class="problem">${found.error.code}${found.error.message && `: ${found.error.message}`}</p>`}
    ${found.answer && html`<section aria-labelledby="record-answer"><h2 id="record-answer">Answer</h2>
      <${Answer} text=${found.answer} citations=${found.annotations ?? []} open=${openHit} opened=${null} /></section>`}
    ${(found.hits ?? []).length > 0 && html`<${Hits} hits=${found.hits} />`}
    ${(found.messages ?? []).length > 1 && html`<${Messages} messages=${found.messages ?? []} />`}
    ${found.question && (found.collections ?? []).length > 0 && html`<${AsQuestion} record=${found} />`}
    ${found.messages && !found.truncated && may("chat") && html`<${Again} record=${found} />`}
    <${Facts} record=${found} />`;
}

/** Into the question set of its collection, with the document that it cites first. @param {{ record: Api.AnswerRecord }} props */
function AsQuestion({ record }) {
  const cited = (record.hits ?? []).find((hit) => hit.cited);
  const collection = cited?.collection ?? /** @type {string[]} */ (record.collections)[0];
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

/** @param {{ messages: Any[] }} props */
function Messages({ messages }) {
  return html`
    <details class="call"><summary>All ${messages.length} messages</summary>
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
  const receipt = /** @type {Any} */ (record.receipt ?? {});
  const tokens = receipt.tokens ?? {};
  const rows = [
    ["Model", record.answered_by && record.answered_by !== record.model ? `${record.model}, worded by ${record.answered_by}` : record.model],
    ["Model digest", record.model_digest], ["Adapter", record.adapter], ["Prompt", record.prompt], ["Variant", record.variant],
    ["Collections", (record.collections ?? []).join(", ")], ["User", record.user], ["Key", record.key_id],
    ["Tokens", `${tokens.prompt ?? 0} read, ${tokens.completion ?? 0} written`],
    ["Cost", receipt.cost_usd == null ? "no price known" : `${receipt.cost_usd} USD`], ["Cache", record.cache],
    ["Kept until", when(record.expires_at)], ["Request", record.request_id], ["Record", record.id],
  ];
  return html`
    <section aria-labelledby="record-facts"><h2 id="record-facts">How it was made</h2>
      <dl>${rows.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
      <details class="call"><summary>Receipt and report as JSON</summary>
        <pre>${JSON.stringify({ receipt: record.receipt, report: record.report, parameters: record.parameters }, null, 2)}</pre></details>
    </section>`;
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
