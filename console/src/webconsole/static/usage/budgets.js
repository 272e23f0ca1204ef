// Limits and budgets of keys and tenants, with what is spent and left of each. For admins.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { when } from "../parts/format.js";
import { dollars, toNano } from "./money.js";

const NOW = /** @type {Record<string, string>} */ ({ day: "today (UTC)", month: "this month" });

/** @typedef {{ kind: string, id: string, name: string, tenant?: string, limits: Api.Limits, budgets: Api.Budget[] }} Bounded */

/** @param {{ keys: Api.Key[] }} props every key, revoked ones too */
export function Budgets({ keys }) {
  const tenants = useSignal(/** @type {Api.Tenant[] | null} */ (null));
  const spent = useSignal(/** @type {Map<string, bigint>} */ (new Map()));
  const problem = useSignal("");
  useEffect(() => {
    Promise.all([all(["tenants"]), readSpent(["key", "tenant"])])
      .then(([known, amounts]) => {
        spent.value = amounts;
        tenants.value = known;
      })
      .catch((error) => (problem.value = error.message));
  }, []);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (tenants.value === null) return html`<p class="hint" role="status">Looking …</p>`;
  /** @type {Bounded[]} */
  const bounded = [
    ...tenants.value.map((one) => ({ ...one, kind: "tenant", id: one.name })),
    ...keys.filter((key) => !key.revoked_at).map((key) => ({ ...key, kind: "key" })),
  ].filter(({ limits, budgets }) => budgets.length > 0 || Object.values(limits).some((limit) => limit !== null));
  if (!bounded.length) {
    return html`<p class="hint">No key and no tenant has a limit or a budget. They are given under Operations, to a key or a tenant.</p>`;
  }
  return html`
    <table class="budgets">
      <thead><tr><th>Whose</th><th>Spent of budgets</th><th>Limits</th></tr></thead>
      <tbody>${bounded.map((one) => html`<${BudgetRow} key=${`${one.kind} ${one.id}`} one=${one} spent=${spent.value} />`)}</tbody>
    </table>`;
}

/** @param {{ one: Bounded, spent: Map<string, bigint> }} props */
function BudgetRow({ one, spent }) {
  return html`
    <tr>
      <td>${one.kind === "tenant" ? html`<a href=${addressOf("operations", "tenants", one.name)}>${one.name}</a>` : one.name} <span class="hint">${one.kind}${one.tenant && ` of ${one.tenant}`}</span></td>
      <td><${Spending} one=${one} spent=${spent} /></td>
      <td>${limitsInWords(one.limits)}</td>
    </tr>`;
}

/** Each budget of a key or a tenant. @param {{ one: Pick<Bounded, "kind" | "id" | "name" | "budgets">, spent: Map<string, bigint> }} props `spent`: of `readSpent` */
export function Spending({ one: { kind, id, name, budgets }, spent }) {
  if (!budgets.length) return html`<span class="hint">no budget</span>`;
  return html`${budgets.map(({ window, usd }) => html`
    <${Spent} key=${window} window=${window} most=${toNano(usd)} amount=${spent.get(`${kind} ${window} ${id}`) ?? 0n} whose=${name} />`)}`;
}

/** @param {{ window: string, most: bigint, amount: bigint, whose: string }} props */
function Spent({ window, most, amount, whose }) {
  const share = most ? Number((amount * 1000n) / most) / 1000 : 1;
  return html`
    <p class=${amount >= most ? "problem" : ""}>
      <progress max="1" value=${Math.min(1, share)} aria-label=${`Spent by ${whose} ${NOW[window]}`}></progress>
      ${" "}${dollars(amount)} of ${dollars(most)} ${NOW[window]}, ${amount < most ? `${dollars(most - amount)} left` : `nothing left until ${when(periodOf(window).end)}`}
    </p>`;
}

/** @param {Api.Limits} limits */
export function limitsInWords({ requests_per_minute: requests, tokens_per_minute: tokens, concurrency }) {
  return [
    requests !== null && `${requests.toLocaleString()} requests a minute`,
    tokens !== null && `${tokens.toLocaleString()} tokens a minute`,
    concurrency !== null && `${concurrency.toLocaleString()} at once`,
  ].filter(Boolean).join(", ");
}

/** When a window of now begins and ends, which are UTC's. @param {string} window */
function periodOf(window) {
  const now = new Date();
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const [begin, end] = window === "day" ? [Date.UTC(year, month, day), Date.UTC(year, month, day + 1)] : [Date.UTC(year, month), Date.UTC(year, month + 1)];
  return { begin: new Date(begin).toISOString(), end: new Date(end).toISOString() };
}

/** What is spent in the windows of now, by kind, window and id. @param {("key" | "tenant")[]} kinds */
export async function readSpent(kinds) {
  /** @type {Map<string, bigint>} */
  const spent = new Map();
  await Promise.all(
    kinds.flatMap((kind) =>
      ["day", "month"].map(async (window) => {
        const { data } = await call("GET", ["usage"], { query: { group_by: kind, from: periodOf(window).begin } });
        for (const row of data) spent.set(`${kind} ${window} ${row.group}`, toNano(row.cost_usd ?? "0"));
      }),
    ),
  );
  return spent;
}
