// What was chosen so far, as the server counts it: by pair of targets and by question.
import { call } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { Whisker, p } from "../parts/interval.js";
import { counted } from "../parts/format.js";
import { usePolling } from "../parts/poll.js";

/** How far back, in days; empty: all. */
const DAYS = /** @type {[string, string][]} */ ([["", "Any time"], ["1", "Today"], ["7", "7 days"], ["30", "30 days"]]);
/** An answer is on record a moment after it was given, and counts from then on. */
const MS = 3000;
const DAY_MS = 86_400_000;
/** @type {[number, number]} */
const SCALE = [-0.03, 1.03];
const percent = (/** @type {number} */ share) => `${Math.round(share * 100)} %`;

/** @param {{ pair: [string, string], said: number }} props `pair`: which is looked at, and comes first; `said`: how often something was chosen here */
export function Tally({ pair: [model, other], said }) {
  const rows = useSignal(/** @type {Api.BlindComparison[] | null} */ (null));
  const problem = useSignal("");
  const days = useSignal("");
  const byVersion = useSignal(false);
  usePolling(async (signal) => {
    const from = days.value && dayBefore(Number(days.value) - 1);
    const limits = { from, by: byVersion.value ? /** @type {const} */ ("version") : undefined };
    const ask = (/** @type {{ model?: string, other?: string }} */ query) => call("GET", ["feedback", "comparisons"], { query: { ...query, ...limits }, signal });
    try {
      const [own, known] = await Promise.all([model && other ? ask({ model, other }) : null, ask({})]);
      const others = known.data.filter((one) => ![one.model, one.other].every((name) => name === model || name === other));
      [rows.value, problem.value] = [[...(own?.data ?? []), ...others], ""];
    } catch (error) {
      if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
    }
  }, MS, [model, other, said, days.value, byVersion.value]);
  return html`
    <section aria-label="Tally"><h2>So far</h2>
      <div class="filters"><select aria-label="Chosen" onChange=${(/** @type {any} */ event) => (days.value = event.target.value)}>${DAYS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select>
        <label class="check"><input type="checkbox" onChange=${(/** @type {any} */ event) => (byVersion.value = event.target.checked)} /> Tell versions apart</label></div>
      ${problem.value && html`<p class="problem" role="status">${problem.value}</p>`}
      ${!rows.value && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
      ${rows.value?.length === 0 && html`<p class="hint">${days.value ? "Nothing was compared in that time." : "Nothing was compared yet."}</p>`}
      ${rows.value !== null && rows.value.length > 0 && html`
        <table class="wide">
          <thead><tr><th>Target</th><th class="number">Better</th><th>Of those with a better answer, 95 %</th><th class="number">Ties</th><th class="number">p</th></tr></thead>
          <tbody>${rows.value.map((one) => html`<${Row} key=${[one.model, one.version, one.other, one.other_version].join(" ")} one=${one} isSeen=${one.model === model && one.other === other} />`)}</tbody>
        </table>
        <p class="hint">A question counts once, for the target that was chosen more often. You may look as often as you like: intervals and p (a sign test without ties) account for that.</p>`}
    </section>`;
}

/** @param {{ one: Api.BlindComparison, isSeen: boolean }} props */
function Row({ one: { model, version, other, other_version: otherVersion, questions, wins, losses, ties, both_bad: bad, share, low, high, p: chance }, isSeen }) {
  return html`
    <tr aria-current=${isSeen ? "true" : null}>
      <td>${isSeen ? html`<strong>${model}</strong>` : model} <span class="hint">${version && `(${version}) `}beside ${other}${otherVersion && ` (${otherVersion})`}, ${counted(questions, "question")}</span></td>
      <td class="number" data-label="Better">${wins} of ${wins + losses}</td>
      <td data-label="Share"><${Whisker} figure=${{ value: share, low, high }} scale=${SCALE} text=${percent} zero=${0.5} /></td>
      <td class="number" data-label="Ties">${ties}${bad > 0 && html` <span class="hint">${bad === ties ? "both bad" : `${bad} both bad`}</span>`}</td>
      <td class="number" data-label="p">${p(chance)}</td>
    </tr>`;
}

/** The beginning of the day (UTC) so many days ago. @param {number} days */
function dayBefore(days) {
  return new Date((Math.floor(Date.now() / DAY_MS) - days) * DAY_MS).toISOString();
}
