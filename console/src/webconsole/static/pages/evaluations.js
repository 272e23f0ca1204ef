// Question sets, and what was measured by them: sets with their versions and questions, runs, and two runs compared.
import { all } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, route } from "../app/router.js";
import { may } from "../app/session.js";
import { Away } from "../evaluations/away.js";
import { QuestionFile } from "../evaluations/question-file.js";
import { QuestionSetPage } from "../evaluations/question-set.js";
import { Run } from "../evaluations/run.js";
import { RunList } from "../evaluations/run-list.js";
import { Start } from "../evaluations/start.js";
import { GenerationPage } from "../generated/run.js";
import { StartGeneration } from "../generated/start.js";
import { MonitorList } from "../monitors/list.js";
import { MonitorPage } from "../monitors/monitor.js";
import { TrialList } from "../sweeps/list.js";
import { StartSweep } from "../sweeps/start.js";
import { TrialPage } from "../sweeps/sweep.js";
import { TuningJob } from "../tuning/job.js";
import { TuningList } from "../tuning/list.js";
import { StartTuning } from "../tuning/start.js";

/** The page. The address holds which set or run is open. */
export function Evaluations() {
  const sets = useSignal(/** @type {Api.QuestionSet[] | null} */ (null));
  const problem = useSignal(/** @type {Error | null} */ (null));
  const read = () => {
    problem.value = null;
    return all(["question-sets"]).then((found) => void (sets.value = found), (error) => void (problem.value = error));
  };
  useEffect(() => void (may("evaluations:read", "evaluations:write") && read()), []);
  if (!may("evaluations:read", "evaluations:write")) {
    return html`<p class="hint alone">This key may not see question sets and evaluations. Sign in with one that has the scope “evaluations:read”.</p>`;
  }
  const [, what = "runs", name = "", part = ""] = route.value.path;
  if (problem.value && what === "monitors") return html`<div class="alone evaluations"><${Inside} key=${name} what=${what} name=${name} part="" sets=${[]} changed=${read} /></div>`;
  if (problem.value) return html`<div class="alone"><h1>Evaluations</h1><${Away} error=${problem.value} again=${read} /></div>`;
  if (sets.value === null) return html`<p class="hint alone" role="status">Looking …</p>`;
  return html`
    <div class="sided">
      <nav class="collections" aria-label="Question sets">
        <h2><a href=${addressOf("evaluations")} aria-current=${what === "runs" && !name ? "page" : null}>All evaluations</a></h2>
        <h2><a href=${addressOf("evaluations", "monitors")} aria-current=${what === "monitors" && !name ? "page" : null}>Live answers</a></h2>
        <h3>Question sets</h3>
        <ul>${sets.value.map((one) => html`
          <li><a href=${addressOf("evaluations", "sets", one.name)} aria-current=${what === "sets" && one.name === name ? "page" : null}>
            <span>${one.name}</span><span class="number">${one.questions.toLocaleString()}</span></a></li>`)}</ul>
        ${!sets.value.length && html`<p class="hint">There are none yet.</p>`}
        ${may("evaluations:write") && html`<a class="button quiet" href=${addressOf("evaluations", "add")}>New question set</a>
          <a class="button quiet" href=${addressOf("evaluations", "generate")}>Questions from documents</a>
          <a class="button quiet" href=${addressOf("evaluations", "sweep")}>Try search settings</a>
          <a class="button quiet" href=${addressOf("evaluations", "tune")}>Tune a model</a>`}
      </nav>
      <section class="inside evaluations" aria-label="Evaluations"><${Inside} key=${`${what} ${name} ${part}`} what=${what} name=${name} part=${part} sets=${sets.value} changed=${read} /></section>
    </div>`;
}

/** @param {{ what: string, name: string, part: string, sets: Api.QuestionSet[], changed: () => Promise<void> }} props */
function Inside({ what, name, part, sets, changed }) {
  if (what === "sets" && name) return html`<${QuestionSetPage} name=${name} changed=${changed} />`;
  if (what === "add") return html`<${QuestionFile} name=${name} sets=${sets} changed=${changed} />`;
  if (what === "generate") return html`<${StartGeneration} sets=${sets} />`;
  if (what === "generated" && part) return html`<${GenerationPage} set=${name} id=${part} changed=${changed} />`;
  if (what === "tune") return html`<${StartTuning} sets=${sets} />`;
  if (what === "tuned" && name) return html`<${TuningJob} id=${name} />`;
  if (what === "sweep") return html`<${StartSweep} sets=${sets} />`;
  if (what === "sweeps" && name) return html`<${TrialPage} id=${name} />`;
  if (what === "monitors") return name ? html`<${MonitorPage} name=${name} />` : html`<${MonitorList} />`;
  if (what === "start") return html`<${Start} sets=${sets} />`;
  if (what === "runs" && name) return html`<${Run} id=${name} />`;
  return html`
    <header class="bar-of-choices"><h1>Evaluations</h1>
      ${may("evaluations:write") && html`<a class="button primary" href=${addressOf("evaluations", "start")}>New evaluation</a>`}</header>
    ${!sets.length && html`<p class="hint">An evaluation asks the questions of a set, and measures the answers. Beside the safety suites that ship, make sets of your own: from a file, from
      documents, or with “Add to question set” in the search lab and in records.</p>`}
    <${RunList} />
    <${TrialList} />
    <${TuningList} />`;
}
