// Answers to be judged, one after the other; what people said; and what is made of it.
import { all, call, me } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { keyOf, readSaid, said } from "../feedback/said.js";
import { Thumbs } from "../feedback/thumbs.js";
import { Answer } from "../parts/answer.js";
import { counted, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Viewer } from "../parts/viewer.js";

const MOST_QUEUED = 100;
const LISTED = 50;
const FORMATS = { preference: "Pairs (preference)", kto: "Labelled answers (KTO)", questions: "Questions" };

/** The page. */
export function Reviews() {
  const review = useSignal(/** @type {Api.Review | null} */ (null));
  const isEmpty = useSignal(false);
  const viewed = useSignal(/** @type {Api.Annotation | null} */ (null));
  if (!may("feedback:review")) {
    return html`<p class="hint alone">This key may not judge others' answers. Sign in with one that has the scope “feedback:review”.</p>`;
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
        <h1>Reviews</h1>
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

/** Puts what was rated down into the queue. @param {{ queued: () => void }} props */
function QueueDisliked({ queued }) {
  async function queue() {
    try {
      const found = await all(["feedback"], { rating: "down" }, MOST_QUEUED);
      const ids = [...new Set(found.map((one) => one.answer_id))].slice(0, MOST_QUEUED);
      if (!ids.length) return say("Nobody has rated an answer down.");
      const { queued: count, unknown = [] } = await call("POST", ["reviews"], { json: { answer_ids: ids } });
      say(`${counted(count, "answer")} added${unknown.length ? `; ${unknown.length} not on record` : ""}.`);
      queued();
    } catch (error) {
      say(error);
    }
  }
  return html`<button onClick=${queue}>Queue what was rated down</button>`;
}

/** What people said, the newest first. */
function Said() {
  const rows = useSignal(/** @type {Api.Feedback[] | null} */ (null));
  useEffect(() => {
    call("GET", ["feedback"], { query: { limit: LISTED } }).then((page) => (rows.value = page.data)).catch(say);
  }, [said.value]);
  if (!rows.value) return html`<p class="hint" role="status">Looking …</p>`;
  return html`
    <section aria-label="Feedback"><h2>What people said</h2>
      ${!rows.value.length && html`<p class="hint">Nothing yet. Rate an answer in the chat.</p>`}
      ${rows.value.length > 0 && html`
        <table class="wide">
          <thead><tr><th>Rating</th><th>Why</th><th>Of</th><th>By</th><th>When</th></tr></thead>
          <tbody>${rows.value.map((one) => html`
            <tr key=${one.id}>
              <td>${one.rating ?? ""}</td>
              <td data-label="Why">${[...(one.labels ?? []).map((label) => label.replaceAll("_", " ")), one.comment, one.correction && `→ ${one.correction}`].filter(Boolean).join(" · ")}</td>
              <td data-label="Of">${one.model ?? one.answer_id}${one.part ? (one.part.citation == null ? ", a sentence" : ", a citation") : ""}</td>
              <td data-label="By">${one.user === me.value?.key_id ? "you" : one.user}</td>
              <td data-label="When"><time datetime=${one.created_at}>${when(one.created_at)}</time></td>
            </tr>`)}</tbody>
        </table>`}
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
