// One run that makes questions from documents: how far it is, what came to nothing, and the review of what it made.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf, go } from "../app/router.js";
import { may } from "../app/session.js";
import { Away } from "../evaluations/away.js";
import { costOf, isLive } from "../evaluations/run-list.js";
import { counted, when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { GenerationState } from "./list.js";
import { Review } from "./review.js";

const EVERY_MS = 2000;
const SELDOM_MS = 60_000;
const REASONS = /** @type {Record<string, string>} */ ({
  no_question: "the model wrote no question",
  too_short_or_long: "too short or too long",
  about_the_text: "asks about “the passage”",
  unclear: "can't be understood without the passage",
  copies: "the passage's own words",
  gives_away: "says its own answer",
  invents: "a number or name that stands nowhere",
  other_kind: "asks of another kind than the passage answers",
  off_topic: "asks of something else",
  asks_the_same: "asked already, here or in another run",
  not_found: "no search found its passage",
  not_answered: "was not answered",
  other_passage: "was answered from another passage",
  other_answer: "got another answer",
  nothing_to_swap: "nothing in it could be swapped for a near miss",
  in_the_documents: "the documents answer the near miss, too",
  call_failed: "a call failed three times",
  document_deleted: "its document is gone",
  document_changed: "its document was changed",
});

/** @param {{ set: string, id: string, changed: () => Promise<void> }} props */
export function GenerationPage({ set, id, changed }) {
  const run = useSignal(/** @type {Api.Generation | null} */ (null));
  const problem = useSignal(/** @type {Error | null} */ (null));
  const again = useSignal(0);
  const live = run.value === null || isLive(run.value);
  usePolling(
    async (signal) => {
      try {
        run.value = await call("GET", ["question-sets", set, "generations", id], { signal });
        problem.value = null;
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error);
      }
    },
    live ? EVERY_MS : SELDOM_MS,
    [id, live, again.value],
  );
  if (!run.value) return problem.value ? html`<${Away} error=${problem.value} />` : html`<p class="hint" role="status">Looking …</p>`;
  const renew = () => void (again.value += 1);
  return html`
    ${problem.value && html`<p class="hint" role="status">${problem.value.message}</p>`}
    <${Head} run=${run.value} renew=${renew} />
    <${Review} run=${run.value} renew=${renew} changed=${changed} />
    <${Dropped} counts=${run.value.dropped} />`;
}

/** @param {{ run: Api.Generation, renew: () => void }} props */
function Head({ run, renew }) {
  const { id, question_set: set, version, error, states } = run;
  const cancel = () => call("POST", ["question-sets", set, "generations", id, "cancel"]).then(renew, say);
  const remove = async () => {
    const lost = (states.proposed ?? 0) + (states.accepted ?? 0);
    if (!confirm(lost ? `Delete this run with ${counted(lost, "question")} that are in no version yet?` : "Delete this run? What was saved stays.")) return;
    try {
      await call("DELETE", ["question-sets", set, "generations", id]);
      go("evaluations", "sets", set);
    } catch (reason) {
      say(reason);
    }
  };
  const rows = [
    ["Passages", run.passages ? `${run.passages.toLocaleString()} chosen` : ""],
    ["Made by", Object.entries(run.made_by).map(([who, count]) => `${who} ${count.toLocaleString()}`).join(", ")],
    ["Split and labels", [run.split, ...run.labels].filter(Boolean).join(", ")],
    ["Cost", costOf(run)], ["Budget", run.budget_usd && `${run.budget_usd} USD`],
    ["Begun", run.started_at && when(run.started_at)], ["Ended", run.finished_at && when(run.finished_at)],
  ];
  return html`
    <header class="bar-of-choices"><h1>Questions from ${run.collection}</h1>
      ${may("evaluations:write") && (isLive(run) ? html`<button onClick=${cancel}>Cancel</button>` : html`<button class="quiet" onClick=${remove}>Delete</button>`)}
    </header>
    <p data-state=${run.status}><${GenerationState} run=${run} /></p>
    ${error && html`<p class="problem">${error.message}</p>`}
    <dl><dt>Question set</dt><dd><a href=${addressOf("evaluations", "sets", set)}>${set}</a>${version && `, saved in version ${version}`}</dd>
      ${rows.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** Why passages came to nothing. @param {{ counts: Record<string, number> }} props */
function Dropped({ counts }) {
  const reasons = Object.entries(counts).sort(([, one], [, other]) => other - one);
  if (!reasons.length) return null;
  return html`
    <section aria-labelledby="dropped"><h2 id="dropped">What came to nothing</h2>
      <dl>${reasons.map(([reason, count]) => html`<dt>${REASONS[reason] ?? reason}</dt><dd>${count.toLocaleString()}</dd>`)}</dl></section>`;
}
