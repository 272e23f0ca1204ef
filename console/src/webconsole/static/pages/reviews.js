// Answers to be judged, one after the other; what people said; and what is made of it.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressOf, route } from "../app/router.js";
import { may } from "../app/session.js";
import { Compare } from "../comparisons/compare.js";
import { keyOf, readSaid, said } from "../feedback/said.js";
import { SaidTable } from "../feedback/table.js";
import { Thumbs } from "../feedback/thumbs.js";
import { Answer } from "../parts/answer.js";
import { counted, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Viewer } from "../parts/viewer.js";

const QUEUED = 100;
const LISTED = 50;
const MOST_LISTED = 200;
const FORMATS = { preference: "Pairs (preference)", kto: "Labelled answers (KTO)", questions: "Questions" };

/** The page. */
export function Reviews() {
  const review = useSignal(/** @type {Api.Review | null} */ (null));
  const isEmpty = useSignal(false);
  const viewed = useSignal(/** @type {Api.Annotation | null} */ (null));
  if (route.value.path[1] === "compare") return html`<${Compare} />`;
  const blind = html`<a href=${addressOf("reviews", "compare")}>Compare two answers blind</a>`;
  if (!may("feedback:review")) {
    return html`<p class="hint alone">This key may not judge others' answers. Sign in with one that has the scope “feedback:review”. ${blind}</p>`;
  }
  async function take() {
    try {
      await readSaid();
      review.value = (await call("POST", ["reviews", "next"], { json: {} })).review;
      isEmpty.value = !review.value;
      viewed.value = null;
    } catch (error) {
      say(error);
    }
  }

  /** @param {"done" | "skip"} how */
  async function end(how) {
    try {
      const { id } = /** @type {Api.Review} */ (review.value);
      await (how === "done" ? call("POST", ["reviews", id, "done"], { json: {} }) : call("POST", ["reviews", id, "skip"], { json: {} }));
      await take();
    } catch (error) {
      say(error);
    }
  }
  return html`
    <div class=${`reviews${viewed.value ? " beside" : ""}`}>
      <div class="inside">
        <header class="bar-of-choices"><h1>Reviews</h1>${blind}</header>
        ${review.value
          ? html`<${OneReview} key=${review.value.id} review=${review.value} end=${end} open=${(/** @type {Api.Annotation} */ one) => (viewed.value = one)} opened=${viewed.value} />`
          : html`
            <p class="hint">${isEmpty.value ? "Nothing is left for you to judge." : "Answers that somebody who knows should look at, one after the other."}</p>
            <p><button class="primary" onClick=${take}>Take the next answer</button> <${QueueDisliked} queued=${() => (isEmpty.value = false)} /></p>`}
        <${Said} />
        <${Agreements} />
        <section aria-label="Export"><h2>Export</h2>
          <p class="hint">JSON lines for tuning (TRL) and evaluation, of answers that are on record. No question is in both splits.</p>
          <ul class="exports">${Object.entries(FORMATS).map(([format, title]) => html`
            <li>${title}: ${["train", "test"].map((split) => html`<a href=${`../v1/feedback/export?format=${format}&split=${split}`} download>${split}</a> `)}</li>`)}</ul>
        </section>
      </div>
      ${viewed.value && html`<${Viewer} place=${viewed.value} close=${() => (viewed.value = null)} />`}
    </div>`;
}

/** @param {{ review: Api.Review, end: (how: "done" | "skip") => void, open: (one: Api.Annotation) => void, opened: Api.Annotation | null }} props */
function OneReview({ review, end, open, opened }) {
  const { answer, answer_id: id } = review;
  const isJudged = Boolean(said.value?.get(keyOf(id)));
  if (!answer) {
    return html`<p class="hint">This answer's record is gone, so that there is nothing to judge.</p>
      <p><button onClick=${() => end("skip")}>Skip</button></p>`;
  }
  return html`
    <article class="turn" aria-label="An answer to judge">
      <h2 class="question">${answer.question}</h2>
      <${Answer} text=${answer.answer} citations=${answer.citations} open=${open} opened=${opened} />
      <p class="hint">${[answer.model, answer.prompt, when(answer.created_at)].filter(Boolean).join(" · ")}
        ${review.lease_until && html` · yours until ${when(review.lease_until)}`}</p>
      <footer class="actions">
        <${Thumbs} answer=${{ id, text: answer.answer, citations: answer.citations }} />
        <button class="primary" disabled=${!isJudged} title=${isJudged ? "" : "Say first what the answer is worth"} onClick=${() => end("done")}>Done</button>
        <button class="quiet" onClick=${() => end("skip")}>Skip</button>
      </footer>
    </article>`;
}

/** Puts what was rated down into the queue, some at once. @param {{ queued: () => void }} props */
function QueueDisliked({ queued }) {
  const busy = useSignal(false);
  async function queue() {
    busy.value = true;
    try {
      say(await queueSome());
      queued();
    } catch (error) {
      say(error);
    }
    busy.value = false;
  }
  return html`<button disabled=${busy.value} onClick=${queue}>Queue what was rated down</button>`;
}

/** The newest that were not in the queue yet: what was is passed over, so that the next time goes on where this one ends. What is to be said of it. */
async function queueSome() {
  let [added, away, cursor] = [0, 0, ""];
  do {
    const page = await call("GET", ["feedback"], { query: { rating: "down", limit: QUEUED, cursor } });
    const ids = [...new Set(page.data.map((one) => one.answer_id))];
    if (!ids.length) return "Nobody has rated an answer down.";
    const { queued, unknown } = await call("POST", ["reviews"], { json: { answer_ids: ids } });
    added += queued;
    away += unknown.length;
    cursor = page.next_cursor ?? "";
  } while (cursor && added < QUEUED);
  return `${counted(added, "answer")} added${away ? `; ${away} not on record` : ""}.${cursor ? " There are older ones: queue again." : ""}`;
}

/** What people said, the newest first. */
function Said() {
  const rows = useSignal(/** @type {Api.Feedback[] | null} */ (null));
  const cursor = useSignal(/** @type {string | null} */ (null));
  /** How many readings were begun: the reply to any but the last comes too late. */
  const begun = useRef(0);
  /** @param {boolean} more */
  async function read(more) {
    const number = (begun.current += 1);
    const known = rows.peek() ?? [];
    const query = more ? { limit: LISTED, cursor: cursor.peek() } : { limit: Math.min(Math.max(known.length, LISTED), MOST_LISTED) };
    try {
      const page = await call("GET", ["feedback"], { query });
      if (number !== begun.current) return;
      rows.value = more ? [...known, ...page.data] : page.data;
      cursor.value = page.next_cursor;
    } catch (error) {
      say(error);
    }
  }
  useEffect(() => void read(false), [said.value]);
  if (!rows.value) return html`<p class="hint" role="status">Looking …</p>`;
  return html`
    <section aria-label="Feedback"><h2>What people said</h2>
      ${!rows.value.length && html`<p class="hint">Nothing yet. Rate an answer in the chat.</p>`}
      ${rows.value.length > 0 && html`<${SaidTable} rows=${rows.value} of />`}
      ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>Show older ones</button>`}
    </section>`;
}

/** How far people agree on what two of them have rated. */
function Agreements() {
  const pairs = useSignal(/** @type {Api.Agreement[]} */ ([]));
  useEffect(() => {
    call("GET", ["feedback", "agreement"]).then((page) => (pairs.value = page.data)).catch(say);
  }, [said.value]);
  if (!pairs.value.length) return null;
  return html`
    <section aria-label="Agreement"><h2>Agreement</h2>
      <table>
        <thead><tr><th>People</th><th>Rated both</th><th>Agreed</th><th>Cohen's κ</th></tr></thead>
        <tbody>${pairs.value.map((pair) => html`
          <tr><td>${pair.user} and ${pair.other}</td><td class="number">${pair.both}</td><td class="number">${pair.agreed}</td>
            <td class="number">${pair.kappa == null ? "–" : pair.kappa.toFixed(2)}</td></tr>`)}</tbody>
      </table>
    </section>`;
}
