// What was asked and what it cost: by day, and by key, model, collection or tenant.
import { all, call, me } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressWith, route } from "../app/router.js";
import { may } from "../app/session.js";
import { say } from "../parts/notice.js";
import { Budgets } from "../usage/budgets.js";
import { Chart } from "../usage/chart.js";
import { dollars, toNano } from "../usage/money.js";
import { MEASURES, asCsv, totalsOf } from "../usage/totals.js";

const PERIODS = [[1, "Today"], [7, "7 days"], [30, "30 days"], [90, "90 days"], [365, "A year"]];
const USUAL_DAYS = 30;
const DAY_MS = 86_400_000;
const GROUPS = [["key", "Key"], ["model", "Model"], ["collection", "Collection"], ["tenant", "Tenant"]];

/** @typedef {import("../usage/totals.js").Row} Row */
/** @typedef {{ days: number, by: string, tenant: string, measure: string }} Choice */

/** @returns {Choice} */
function readChoice() {
  const given = route.value.query;
  const days = Number(given.get("days"));
  const by = given.get("by") ?? "";
  const measure = given.get("measure") ?? "";
  return {
    days: PERIODS.some(([one]) => one === days) ? days : USUAL_DAYS,
    by: GROUPS.some(([one]) => one === by) ? by : "key",
    tenant: given.get("tenant") ?? "",
    measure: MEASURES.some((one) => one.name === measure) ? measure : "requests",
  };
}

/** The page. The address holds what is looked at. */
export function Usage() {
  const choice = readChoice();
  const { days, by, tenant, measure } = choice;
  const byDay = useSignal(/** @type {Row[] | null} */ (null));
  const byGroup = useSignal(/** @type {Row[]} */ ([]));
  const keys = useSignal(/** @type {Api.Key[]} */ ([]));
  const problem = useSignal("");
  const again = useSignal(0);
  const isAdmin = may("admin");
  const from = new Date(Math.floor(Date.now() / DAY_MS - days + 1) * DAY_MS);

  useEffect(() => {
    const stop = new AbortController();
    const read = (/** @type {string} */ group) =>
      call("GET", ["usage"], { query: { group_by: group, from: from.toISOString(), tenant }, signal: stop.signal });
    Promise.all([read("day"), read(by), isAdmin ? all(["keys"], {}, 5000) : []])
      .then(([daily, grouped, known]) => {
        keys.value = known;
        byGroup.value = grouped.data;
        byDay.value = daily.data;
        problem.value = "";
      })
      .catch((error) => !stop.signal.aborted && (problem.value = error.message));
    return () => stop.abort();
  }, [days, by, tenant, again.value]);

  const choose = (/** @type {Partial<Choice>} */ change) => (location.hash = addressWith(["usage"], { ...choice, ...change }));
  const totals = byDay.value && totalsOf(byDay.value);
  return html`
    <section class="inside panel" aria-label="Usage">
      <header class="bar-of-choices">
        <h1>Usage</h1>
        <${Pick} label="Period" options=${PERIODS} value=${days} choose=${(/** @type {string} */ value) => choose({ days: Number(value) })} />
        ${isAdmin && html`<${Pick} label="Tenant" value=${tenant} choose=${(/** @type {string} */ value) => choose({ tenant: value })}
          options=${[["", "All tenants"], ...[...new Set([...keys.value.map((key) => key.tenant), tenant].filter(Boolean))].sort().map((one) => [one, one])]} />`}
        <button class="quiet" onClick=${() => (again.value += 1)}>Read again</button>
      </header>
      ${problem.value && html`<p class="problem" role="alert">${problem.value} <button onClick=${() => (again.value += 1)}>Try again</button></p>`}
      ${!totals && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
      ${totals && byDay.value?.length === 0 && html`<p class="hint">Nothing was asked in this time.</p>`}
      ${totals && byDay.value && byDay.value.length > 0 && html`
        <div class="tiles" role="group" aria-label="What the chart shows">
          ${MEASURES.map(({ name, title, text, more }) => html`
            <button class="tile" aria-pressed=${name === measure} onClick=${() => choose({ measure: name })} data-measure=${name}>
              <span class="hint">${title}</span><strong>${text(totals)}</strong><span class="hint">${more(totals)}</span>
            </button>`)}
        </div>
        ${days > 1 && html`<${Chart} rows=${byDay.value} from=${from} days=${days} measure=${measure} />`}
        <section aria-labelledby="usage-by">
          <header class="bar-of-choices">
            <h2 id="usage-by">By</h2>
            ${GROUPS.filter(([name]) => name !== "tenant" || isAdmin).map(([name, title]) => html`
              <button class="chip" aria-pressed=${name === by} onClick=${() => choose({ by: name })}>${title}</button>`)}
            <button class="quiet" onClick=${() => copy(byGroup.value, keys.value)}>Copy as CSV</button>
          </header>
          <${Groups} rows=${byGroup.value} by=${by} measure=${measure} keys=${keys.value} />
        </section>`}
      ${isAdmin && byDay.value && html`<section aria-labelledby="budgets"><h2 id="budgets">Limits and budgets</h2><${Budgets} keys=${keys.value} /></section>`}
    </section>
  `;
}

/** @param {{ label: string, options: (readonly [number | string, string])[], value: unknown, choose: (value: string) => void }} props */
function Pick({ label, options, value, choose }) {
  return html`
    <select aria-label=${label} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
      ${options.map(([name, title]) => html`<option value=${name} selected=${name === value}>${title}</option>`)}
    </select>`;
}

/** @param {{ rows: Row[], by: string, measure: string, keys: Api.Key[] }} props */
function Groups({ rows, by, measure, keys }) {
  const { value } = MEASURES.find((one) => one.name === measure) ?? MEASURES[0];
  const named = new Map(keys.map((key) => [key.id, key]));
  const sorted = rows.map((row) => ({ row, size: value(totalsOf([row])) })).sort((a, b) => b.size - a.size);
  const most = sorted[0]?.size;
  return html`
    ${by === "model" && html`<p class="hint">Calls that a model got for answers and runs count here, too.</p>`}
    ${by === "collection" && html`<p class="hint">Answers with all calls inside them. Searches, and documents as they are added, are not told apart by collection.</p>`}
    <div class="scrolled" tabindex="0" role="region" aria-label="Usage by ${by}">
    <table>
      <thead><tr><th>${GROUPS.find(([name]) => name === by)?.[1]}</th><th class="number">Requests</th><th class="number">Read</th>
        <th class="number">Written</th><th class="number">Embedded</th><th class="number">Cost</th><th class="number">Errors</th>
        <th class="number">Cache</th></tr></thead>
      <tbody>
        ${sorted.map(({ row, size }) => html`
          <tr key=${row.group} data-group=${row.group}>
            <td><${GroupName} by=${by} group=${row.group} known=${named.get(row.group)} />
              <span class="bar"><span style=${{ width: `${most ? (size / most) * 100 : 0}%` }}></span></span></td>
            <td class="number">${row.requests.toLocaleString()}</td>
            <td class="number">${row.prompt_tokens.toLocaleString()}</td>
            <td class="number">${row.completion_tokens.toLocaleString()}</td>
            <td class="number">${row.embedding_tokens.toLocaleString()}</td>
            <td class="number">${cost(row)}</td>
            <td class="number">${row.errors.toLocaleString()}</td>
            <td class="number">${row.cache_hits.toLocaleString()}</td>
          </tr>`)}
      </tbody>
    </table></div>`;
}

/** @param {Row} row */
function cost({ cost_usd: usd, unpriced_requests: unpriced }) {
  if (usd === null) return "no price known";
  return unpriced ? `${dollars(toNano(usd))} + ?` : dollars(toNano(usd));
}

/** @param {{ by: string, group: string, known: Api.Key | undefined }} props */
function GroupName({ by, group, known }) {
  if (by === "model") return group || html`<span class="hint">of no model</span>`;
  if (by === "collection") return group ? group.replaceAll(",", ", ") : html`<span class="hint">all else</span>`;
  if (by === "tenant") return group;
  if (known) return html`${known.name} <span class="hint">${known.tenant}${known.revoked_at && ", revoked"}</span>`;
  if (group === me.value?.key_id) return html`${me.value.name} <span class="hint">this key</span>`;
  return html`<code>${group}</code>`;
}

/** @param {Row[]} rows @param {Api.Key[]} keys */
async function copy(rows, keys) {
  const named = new Map(keys.map((key) => [key.id, key.name]));
  try {
    await navigator.clipboard.writeText(asCsv(rows, (group) => named.get(group) ?? ""));
    say("Copied, for a spreadsheet.");
  } catch {
    say(new Error("The browser did not let the page copy."));
  }
}
