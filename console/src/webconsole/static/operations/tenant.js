// One tenant: what holds for it, what is spent, its keys and what each of them asked; changed and deleted here.
import { all, call, me } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressOf, addressWith, go } from "../app/router.js";
import { counted, when } from "../parts/format.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { Spending, limitsInWords, readSpent } from "../usage/budgets.js";
import { dollars } from "../usage/money.js";
import { totalsOf } from "../usage/totals.js";
import { Deletion } from "./tenant-deletion.js";
import { RECORDS, TenantForm } from "./tenant-form.js";

const MOST_KEYS = 5000;
const SHOWN = 100;

/** Whether a key can be used now. @param {Api.Key} key */
export function isGood({ revoked_at: revoked, expires_at: end }) {
  return !revoked && (!end || Date.parse(end) > Date.now());
}

/** @param {Pick<Api.Tenant, "records" | "records_days">} row */
export function recordsInWords({ records, records_days: days }) {
  return records === "off" ? RECORDS.off : `${RECORDS[records]}, for ${counted(days, "day")}`;
}

/** @typedef {"" | "change" | "delete"} Act */
/** @typedef {{ tenant: Api.Tenant, keys: Api.Key[], rows: Api.UsageRow[], spent: Map<string, bigint> }} Found */

/** @param {string} name @returns {Promise<Found>} */
async function readTenant(name) {
  const [tenant, keys, { data: rows }, spent] = await Promise.all([
    call("GET", ["tenants", name]),
    all(["keys"], { tenant: name }, MOST_KEYS),
    call("GET", ["usage"], { query: { group_by: "key", tenant: name } }),
    readSpent(["tenant"]),
  ]);
  return { tenant, keys, rows, spent };
}

/** @param {{ name: string }} props */
export function TenantPage({ name }) {
  const found = useSignal(/** @type {Found | null} */ (null));
  const problem = useSignal("");
  const doing = useSignal(/** @type {Act} */ (""));
  const last = useRef(/** @type {Act} */ (""));
  const turn = useRef(0);
  /** Look, change or delete: each as the tenant is now. @param {Act} what */
  async function turnTo(what) {
    const mine = (turn.current += 1);
    if (!what) {
      last.current = doing.value;
      doing.value = what;
    }
    try {
      const now = await readTenant(name);
      if (mine !== turn.current) return; // something else was chosen meanwhile
      found.value = now;
      doing.value = what;
    } catch (error) {
      if (found.value) say(error);
      else problem.value = wrongIn(/** @type {import("../api/client.js").ApiError} */ (error), name);
    }
  }
  useEffect(() => void turnTo(""), []);
  const saved = () => {
    say(`${name} is changed. It holds within a second.`);
    turnTo("");
  };
  const begun = () => {
    say(`${name} is being deleted. Its keys are refused from now on.`);
    go("operations", "tenants");
  };
  const back = html`<p><a href=${addressOf("operations", "tenants")}>← All tenants</a></p>`;
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>${back}`;
  if (!found.value) return html`<p class="hint" role="status">Looking …</p>`;
  const { tenant, keys, rows, spent } = found.value;
  const isMine = name === me.value?.tenant;
  const button = (/** @type {"change" | "delete"} */ what, /** @type {string} */ title) =>
    html`<button class="quiet" ref=${last.current === what ? focused : null} onClick=${() => turnTo(what)}>${title}</button>`;
  return html`
    ${back}
    <header class="bar-of-choices"><h2>${name}</h2>
      ${!doing.value && !tenant.deleting && html`${button("change", "Change")}${!isMine && button("delete", "Delete")}`}</header>
    ${tenant.deleting && html`<${Deleting} name=${name} />`}
    ${doing.value === "change"
      ? html`<${TenantForm} row=${tenant} saved=${saved} cancel=${() => turnTo("")} />`
      : doing.value === "delete"
      ? html`<${Deletion} name=${name} keys=${keys.filter(isGood)} begun=${begun} cancel=${() => turnTo("")} />`
      : html`<${Facts} tenant=${tenant} keys=${keys} spent=${spent} />`}
    ${isMine && html`<p class="hint">The key of this session belongs to it: only an admin key of another tenant can delete it.</p>`}
    <${Keys} name=${name} keys=${keys} rows=${rows} />`;
}

/** @param {import("../api/client.js").ApiError} error @param {string} name */
function wrongIn({ status, message }, name) {
  return status === 404 ? `There is no tenant “${name}”: it was deleted, or never made.` : message;
}

/** @param {{ tenant: Api.Tenant, keys: Api.Key[], spent: Map<string, bigint> }} props */
function Facts({ tenant, keys, spent }) {
  const others = keys.filter((key) => isGood(key) && key.records && key.records !== tenant.records);
  return html`
    <dl class="budgets">
      <dt>Limits</dt><dd>${limitsInWords(tenant.limits) || "none"}</dd>
      <dt>Budgets</dt><dd><${Spending} one=${{ ...tenant, kind: "tenant", id: tenant.name }} spent=${spent} /></dd>
      <dt>Of its answers is kept</dt><dd>${recordsInWords(tenant)}${others.length > 0 && html`
        <span class="hint">; but for ${others.map((key) => `${key.name} (${RECORDS[/** @type {Api.Tenant["records"]} */ (key.records)]})`).join(", ")}</span>`}</dd>
      <dt>Made</dt><dd><time datetime=${tenant.created_at}>${when(tenant.created_at)}</time></dd>
    </dl>`;
}

/** @param {{ name: string }} props */
function Deleting({ name }) {
  const again = () => call("DELETE", ["tenants", name]).then(() => say("The deletion goes on with this session's key."), say);
  return html`
    <p role="status"><strong>It is being deleted:</strong> its keys are refused, and what it has goes. <a href=${addressOf("operations", "jobs")}>Jobs</a> of the
      tenant whose key began it say how far that is. If that key was revoked since, it waits for another: <button onClick=${again}>Go on with this key</button></p>`;
}

/** The keys, with what each asked in 30 days. @param {{ name: string, keys: Api.Key[], rows: Api.UsageRow[] }} props */
function Keys({ name, keys, rows }) {
  const used = new Map(rows.map((row) => [row.group, row]));
  const shown = keys.filter((key) => isGood(key) || used.has(key.id));
  const { requests, nano, errors, unpriced_requests: unpriced } = totalsOf(rows);
  const known = (/** @type {Api.UsageRow | undefined} */ row) => row && totalsOf([row]);
  return html`
    <section aria-labelledby="tenant-keys">
      <header class="bar-of-choices"><h2 id="tenant-keys">Keys, and what they asked in 30 days</h2>
        <a href=${addressWith(["operations", "keys"], { tenant: name })}>Make and change keys</a> <a href=${addressWith(["usage"], { tenant: name })}>All of its usage</a></header>
      ${shown.length
        ? html`<table class="wide">
            <thead><tr><th>Key</th><th>May</th><th>Last used</th><th class="number">Requests</th><th class="number">Errors</th><th class="number">Cost</th></tr></thead>
            <tbody>
              ${shown.slice(0, SHOWN).map((key) => html`<${KeyRow} key=${key.id} row=${key} totals=${known(used.get(key.id))} />`)}
              <tr><td><strong>All together</strong></td><td></td><td></td><td class="number" data-label="Requests">${requests.toLocaleString()}</td>
                <td class="number" data-label="Errors">${errors.toLocaleString()}</td><td class="number" data-label="Cost">${cost(nano, unpriced)}</td></tr>
            </tbody>
          </table>
          ${shown.length > SHOWN && html`<p class="hint">${counted(shown.length - SHOWN, "more key")} under “Make and change keys”.</p>`}`
        : html`<p class="hint">It has no key that works: nobody can use it yet.</p>`}
    </section>`;
}

/** @param {{ row: Api.Key, totals: ReturnType<typeof totalsOf> | undefined }} props */
function KeyRow({ row, totals }) {
  const { id, name, prefix, scopes, last_used_at: last } = row;
  return html`
    <tr data-key=${id}>
      <td>${name} <span class="hint"><code>${prefix}…</code>${!isGood(row) && (row.revoked_at ? ", revoked" : ", expired")}</span></td>
      <td data-label="May">${scopes.join(", ")}</td>
      <td data-label="Last used">${last ? when(last) : html`<span class="hint">never</span>`}</td>
      <td class="number" data-label="Requests">${(totals?.requests ?? 0).toLocaleString()}</td>
      <td class="number" data-label="Errors">${(totals?.errors ?? 0).toLocaleString()}</td>
      <td class="number" data-label="Cost">${cost(totals?.nano ?? 0n, totals?.unpriced_requests ?? 0)}</td>
    </tr>`;
}

/** @param {bigint} nano @param {number} unpriced */
function cost(nano, unpriced) {
  return unpriced ? html`${dollars(nano)} <span class="hint">and ${counted(unpriced, "call")} without a price</span>` : dollars(nano);
}
