// Limits and budgets of keys and tenants, with what is spent of each. For admins.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { dollars, toNano } from "./money.js";

/** @typedef {{ kind: string, id: string, name: string, tenant?: string, limits: Api.Limits, budgets: Api.BudgetOutput[] }} Bounded */

/** @param {{ keys: Api.Key[] }} props every key, revoked ones too */
export function Budgets({ keys }) {
  const tenants = useSignal(/** @type {Api.Tenant[] | null} */ (null));
  const spent = useSignal(/** @type {Map<string, bigint>} */ (new Map()));
  const problem = useSignal("");
  useEffect(() => {
    Promise.all([all(["tenants"]), readSpent()])
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
    return html`<p class="hint">No key and no tenant has a limit or a budget. They are given with a key, under Operations.</p>`;
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
      <td>${one.name} <span class="hint">${one.kind}${one.tenant && ` of ${one.tenant}`}</span></td>
      <td>${one.budgets.map(({ window, usd }) => html`<${Spent} key=${window} window=${window} most=${toNano(usd)}
          amount=${spent.get(`${one.kind} ${window} ${one.id}`) ?? 0n} whose=${one.name} />`)}</td>
      <td>${said(one.limits)}</td>
    </tr>`;
}

/** @param {{ window: string, most: bigint, amount: bigint, whose: string }} props */
function Spent({ window, most, amount, whose }) {
  const share = most ? Number((amount * 1000n) / most) / 1000 : 1;
  return html`
    <p class=${amount >= most ? "problem" : ""}>
      <progress max="1" value=${Math.min(1, share)} aria-label=${`Spent by ${whose} this ${window}`}></progress>
      ${" "}${dollars(amount)} of ${dollars(most)} this ${window}
    </p>`;
}

/** @param {Api.Limits} limits */
function said({ requests_per_minute: requests, tokens_per_minute: tokens, concurrency }) {
  return [
    requests !== null && `${requests.toLocaleString()} requests a minute`,
    tokens !== null && `${tokens.toLocaleString()} tokens a minute`,
    concurrency !== null && `${concurrency.toLocaleString()} at once`,
  ].filter(Boolean).join(", ");
}

/** What is spent in the windows of now, which are UTC's, by kind, window and id. */
async function readSpent() {
  const now = new Date();
  const begins = /** @type {Record<string, number>} */ ({
    day: Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()),
    month: Date.UTC(now.getUTCFullYear(), now.getUTCMonth()),
  });
  /** @type {Map<string, bigint>} */
  const spent = new Map();
  await Promise.all(
    ["key", "tenant"].flatMap((kind) =>
      Object.entries(begins).map(async ([window, begin]) => {
        const query = { group_by: kind, from: new Date(begin).toISOString() };
        const { data } = await call("GET", ["usage"], { query });
        for (const row of data) spent.set(`${kind} ${window} ${row.group}`, toNano(row.cost_usd ?? "0"));
      }),
    ),
  );
  return spent;
}
