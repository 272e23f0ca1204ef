// Tenants: who shares the installation, within which limits, and what is left of their budgets. One of them is a page of its own.
import { all, me } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressOf, go, route } from "../app/router.js";
import { counted } from "../parts/format.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { Spending, limitsInWords, readSpent } from "../usage/budgets.js";
import { TenantForm } from "./tenant-form.js";
import { TenantPage, isGood, recordsInWords } from "./tenant.js";

const EVERY_MS = 3000;
const MOST = 5000;
const SHOWN = 200;

/** The section. */
export function Tenants() {
  const name = route.value.path[2];
  return name ? html`<${TenantPage} key=${name} name=${name} />` : html`<${List} />`;
}

function List() {
  const tenants = useSignal(/** @type {Api.Tenant[] | null} */ (null));
  const keys = useSignal(/** @type {Map<string, number>} */ (new Map()));
  const spent = useSignal(/** @type {Map<string, bigint>} */ (new Map()));
  const problem = useSignal("");
  const adding = useSignal(false);
  const words = useSignal("");
  const again = useSignal(0);
  const wasOpen = useRef(false);
  const open = (/** @type {boolean} */ is) => {
    wasOpen.current = true;
    adding.value = is;
  };
  useEffect(() => {
    Promise.all([all(["tenants"], {}, MOST), all(["keys"], {}, MOST), readSpent(["tenant"])]).then(([found, known, amounts]) => {
      keys.value = keysOf(known);
      spent.value = amounts;
      tenants.value = found;
      problem.value = "";
    }, (error) => (problem.value = error.message));
  }, [again.value]);
  usePolling(async () => {
    const going = (tenants.value ?? []).filter(({ deleting }) => deleting);
    if (!going.length) return;
    const found = await all(["tenants"], {}, MOST).catch(() => null); // away for a moment
    if (!found) return;
    const there = new Set(found.map(({ name }) => name));
    const gone = going.map(({ name }) => name).filter((name) => !there.has(name));
    if (gone.length) say(`${gone.join(", ")}: deleted, with all that was there.`);
    tenants.value = found;
  }, EVERY_MS, []);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value} <button onClick=${() => (again.value += 1)}>Try again</button></p>`;
  if (!tenants.value) return html`<p class="hint" role="status">Looking …</p>`;
  const found = tenants.value.filter(({ name }) => name.includes(words.value));
  return html`
    ${adding.value
      ? html`<${TenantForm} saved=${(/** @type {Api.Tenant} */ { name }) => go("operations", "tenants", name)} cancel=${() => open(false)} />`
      : html`<p class="bar-of-choices"><button class="primary" ref=${wasOpen.current ? focused : null} onClick=${() => open(true)}>New tenant</button>
          <input type="search" placeholder="Find by name" aria-label="Find by name" maxlength="63" onInput=${(/** @type {any} */ event) => (words.value = event.target.value.trim().toLowerCase())} /></p>`}
    <p class="hint">A tenant has documents, agents, threads and keys of its own, which no other tenant's keys see.</p>
    <table class="wide budgets">
      <thead><tr><th>Tenant</th><th class="number">Keys</th><th>Spent of budgets</th><th>Limits</th><th>Records of answers</th></tr></thead>
      <tbody>${found.slice(0, SHOWN).map((row) => html`<${Row} key=${row.name} row=${row} keys=${keys.value.get(row.name) ?? 0} spent=${spent.value} />`)}</tbody>
    </table>
    ${found.length > SHOWN && html`<p class="hint">${counted(found.length - SHOWN, "more tenant")}: find them by name.</p>`}
    ${!found.length && html`<p class="hint">No tenant is called so.</p>`}`;
}

/** @param {{ row: Api.Tenant, keys: number, spent: Map<string, bigint> }} props */
function Row({ row, keys, spent }) {
  const { name, deleting, limits } = row;
  return html`
    <tr data-tenant=${name}>
      <td><a href=${addressOf("operations", "tenants", name)}>${name}</a>${name === me.value?.tenant && html` <span class="hint">this session's</span>`}
        ${deleting && html` <span class="status processing">is being deleted</span>`}</td>
      <td class="number" data-label="Keys">${keys.toLocaleString()}</td>
      <td data-label="Spent of budgets"><${Spending} one=${{ ...row, kind: "tenant", id: name }} spent=${spent} /></td>
      <td data-label="Limits">${limitsInWords(limits) || html`<span class="hint">none</span>`}</td>
      <td data-label="Records of answers">${recordsInWords(row)}</td>
    </tr>`;
}

/** How many keys that work each tenant has. @param {Api.Key[]} keys */
function keysOf(keys) {
  const counts = new Map();
  for (const { tenant } of keys.filter(isGood)) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
  return counts;
}
