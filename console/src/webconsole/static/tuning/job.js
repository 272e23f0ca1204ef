// One tuning job: how far it is, what it learnt by the questions that were held out, and whether that is served.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { addressOf, addressWith, go } from "../app/router.js";
import { may } from "../app/session.js";
import { Away } from "../evaluations/away.js";
import { counted } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { TuningState, isAtWork, moment } from "./list.js";

const EVERY_MS = 2000;
const SELDOM_MS = 60_000;
const EVENTS = 30;

/** @param {{ id: string }} props */
export function TuningJob({ id }) {
  const job = useSignal(/** @type {Api.FineTuningJob | null} */ (null));
  const events = useSignal(/** @type {Api.FineTuningEvent[]} */ ([]));
  const serves = useSignal(/** @type {string | undefined} */ (undefined));
  const problem = useSignal(/** @type {Error | null} */ (null));
  const again = useSignal(0);
  const live = job.value === null || isAtWork(job.value);
  usePolling(
    async (signal) => {
      try {
        job.value = await call("GET", ["fine_tuning", "jobs", id], { signal });
        events.value = (await call("GET", ["fine_tuning", "jobs", id, "events"], { query: { limit: EVENTS }, signal })).data;
        serves.value = await jobThatServes(job.value?.fine_tuned_model, signal);
        problem.value = null;
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error);
      }
    },
    live ? EVERY_MS : SELDOM_MS,
    [id, live, again.value],
  );
  if (!job.value) return problem.value ? html`<${Away} error=${problem.value} />` : html`<p class="hint" role="status">Looking …</p>`;
  return html`
    ${problem.value && html`<p class="hint" role="status">${problem.value.message}</p>`}
    <${Head} job=${job.value} served=${serves.value === id} renew=${() => void (again.value += 1)} />
    <${Outcome} job=${job.value} />
    <section aria-labelledby="events"><h2 id="events">What happened</h2>
      <ol class="events" reversed>${events.value.map((one) => html`<li key=${one.id}>${moment(one.created_at)} ${one.message}</li>`)}</ol></section>`;
}

/** Whose weights a tuned model has now; a job's model may have been published anew since, or be gone.
 * @param {string | null | undefined} model @param {AbortSignal} signal */
async function jobThatServes(model, signal) {
  if (!model) return undefined;
  /** @type {Api.ModelList} */
  const { data } = await call("GET", ["models"], { signal });
  return data.find((one) => one.id === model)?.tuned?.job;
}

/** @param {{ job: Api.FineTuningJob, served: boolean, renew: () => void }} props */
function Head({ job, served, renew }) {
  const { id, model, error, method, groundwork: report } = job;
  const act = async (/** @type {Promise<unknown>} */ work, /** @type {string} */ done) => {
    try {
      await work;
      say(done);
      renew();
    } catch (reason) {
      say(reason);
    }
  };
  const cancel = () => act(call("POST", ["fine_tuning", "jobs", id, "cancel"]), "The job is cancelled.");
  const publish = () => {
    const risk = report.not_published ? `${report.not_published.message}\n\nServe it all the same?` : "Serve what this job learnt, in place of a newer one of its name?";
    if (confirm(risk)) act(call("POST", ["fine_tuning", "jobs", id, "publish"]), "It is served.");
  };
  const remove = async () => {
    if (!confirm("Delete this job with what it learnt? Its model is gone, too: move collections and routes back first.")) return;
    try {
      await call("DELETE", ["fine_tuning", "jobs", id]);
      go("evaluations");
    } catch (reason) {
      say(reason);
    }
  };
  const write = may("evaluations:write");
  return html`
    <header class="bar-of-choices"><h1>${job.fine_tuned_model ?? `${model}, ${method.type}`}</h1>
      ${write && isAtWork(job) && html`<button onClick=${cancel}>Cancel</button>`}
      ${write && job.status === "succeeded" && !served && html`<button class=${job.fine_tuned_model ? "quiet" : "primary"} onClick=${publish}>${job.fine_tuned_model ? "Serve again" : "Publish"}</button>`}
      ${write && !isAtWork(job) && html`<button class="quiet" onClick=${remove}>Delete</button>`}
    </header>
    <p data-state=${job.status}><${TuningState} job=${job} /></p>
    ${error && html`<p class="problem">${error.message}</p>`}`;
}

/** What was learnt from, the verdict, and why it is or is not served. @param {{ job: Api.FineTuningJob }} props */
function Outcome({ job }) {
  const { groundwork: report, training_file: file, fine_tuned_model: served, model } = job;
  const { card, not_published: refused } = report;
  const [set, version = ""] = file.slice("set:".length).split("@");
  const left = card ? [[card.unanswered, "without what would be right"], [card.other_splits, "of other splits"], [card.leaked, "asked by other sets"]] : [];
  const rows = [
    ["Began as", model],
    ["Learnt", card && `${counted(card.train, "question")}, judged by ${card.held_out.toLocaleString()} held out`],
    ["Left out", left.filter(([count]) => count).map(([count, why]) => `${count} ${why}`).join(", ")],
    ["Masked", Object.entries(card?.masked ?? {}).map(([kind, count]) => `${count} ${kind}`).join(", ")],
    ["Verdict", report.words], ["Other questions", report.general], ["Served as trained", report.parity],
    ["Not served", refused?.message], ["Job", job.id],
  ];
  return html`
    <dl aria-label="What came of it"><dt>Question set</dt><dd><a href=${addressWith(["evaluations", "sets", set], { version })}>${set}${version && `, version ${version}`}</a></dd>
      ${rows.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${served && report.kind === "embedding" && html`<p class="hint">A collection is searched by it once it is reindexed with it: <a href=${addressOf("documents")}>Documents</a>, “Settings”, “Embedding model”.
      Evaluate answers before and after.</p>`}
    ${served && report.kind === "chat" && html`<p><a class="button" href=${addressWith(["evaluations", "start"], { set, model: served })}>Evaluate it</a></p>`}`;
}
