// Keys: who may do what, within which limits; made, changed, rotated and revoked here.
import { all, call, me } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { addressOf, route } from "../app/router.js";
import { when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { KeyForm } from "./key-form.js";

/** The section. */
export function Keys() {
  const keys = useSignal(/** @type {Api.Key[] | null} */ (null));
  const problem = useSignal("");
  const adding = useSignal(false);
  const changing = useSignal(/** @type {Api.Key | null} */ (null));
  const revoked = useSignal(false);
  const made = useSignal(/** @type {{ name: string, secret: string } | null} */ (null));
  const read = () =>
    all(["keys"], {}, 5000)
      .then((found) => (keys.value = found))
      .catch((error) => (problem.value = error.message));
  useEffect(() => {
    read();
  }, []);
  const change = (/** @type {Api.Key | null} */ key) => {
    adding.value = false;
    changing.value = key;
  };
  const changed = (/** @type {Api.Key} */ key) => {
    changing.value = null;
    say(`${key.name} is changed.`);
    read();
  };
  const show = (/** @type {Api.KeyCreated} */ key) => {
    adding.value = false;
    made.value = key;
    read();
  };
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!keys.value) return html`<p class="hint" role="status">Looking …</p>`;
  const tenant = route.value.query.get("tenant") ?? "";
  const shown = keys.value.filter((key) => (revoked.value || !key.revoked_at) && (!tenant || key.tenant === tenant));
  return html`
    ${made.value && html`<${Secret} made=${made.value} close=${() => (made.value = null)} />`}
    ${changing.value
      ? html`<${KeyForm} key=${changing.value.id} row=${changing.value} saved=${changed} cancel=${() => change(null)} />`
      : adding.value
      ? html`<${KeyForm} tenant=${tenant} saved=${show} cancel=${() => (adding.value = false)} />`
      : html`<p class="bar-of-choices"><button class="primary" onClick=${() => (adding.value = true)}>New key</button>
          <label><input type="checkbox" checked=${revoked.value} onChange=${() => (revoked.value = !revoked.value)} /> revoked ones, too</label>
          ${tenant && html`<span class="hint">Of the tenant <a href=${addressOf("operations", "tenants", tenant)}>${tenant}</a> alone.</span> <a href=${addressOf("operations", "keys")}>All keys</a>`}</p>`}
    <table class="wide">
      <thead><tr><th>Key</th><th>May</th><th>Last used</th><th>Good until</th><th><span class="unseen">What to do</span></th></tr></thead>
      <tbody>${shown.map((key) => html`<${KeyRow} key=${key.id} row=${key} changed=${read} rotated=${show} change=${change} />`)}</tbody>
    </table>
    ${!shown.length && html`<p class="hint">${tenant} has no key that works: nobody can use it until you make one.</p>`}`;
}

/** @param {{ row: Api.Key, changed: () => void, rotated: (key: Api.KeyCreated) => void, change: (key: Api.Key) => void }} props */
function KeyRow({ row, changed, rotated, change }) {
  const sure = useSignal(false);
  const { id, name, tenant, prefix, scopes, models, collections } = row;
  const revoke = () => call("DELETE", ["keys", id]).then(changed, say);
  const rotate = () => call("POST", ["keys", id, "rotate"], { json: {} }).then(rotated, say);
  const isMine = id === me.value?.key_id;
  return html`
    <tr data-key=${id}>
      <td>${name} <span class="hint"><a href=${addressOf("operations", "tenants", tenant)}>${tenant}</a>, <code>${prefix}…</code>${isMine && ", this session's"}</span></td>
      <td data-label="May">${scopes.join(", ")}${collections && html`<p class="hint">collections: ${collections.join(", ") || "none"}</p>`}
        ${models && html`<p class="hint">models: ${models.join(", ") || "none"}</p>`}</td>
      <td data-label="Last used">${row.last_used_at ? when(row.last_used_at) : html`<span class="hint">never</span>`}</td>
      <td data-label="Good until">${row.revoked_at ? html`<span class="status cancelled">revoked</span>` : row.expires_at ? when(row.expires_at) : html`<span class="hint">without an end</span>`}</td>
      <td class="actions">${!row.revoked_at && (sure.value
        ? html`<button class="danger" onClick=${revoke}>Revoke for ever</button><button class="quiet" onClick=${() => (sure.value = false)}>Keep</button>`
        : html`<button class="quiet" aria-label=${`Change ${name}`} onClick=${() => change(row)}>Change</button>
            <button class="quiet" aria-label=${`Rotate ${name}`} title="A new secret; the old one is good for another day" onClick=${rotate}>Rotate</button>
            ${!isMine && html`<button class="quiet" aria-label=${`Revoke ${name}`} onClick=${() => (sure.value = true)}>Revoke</button>`}`)}</td>
    </tr>`;
}

/** A secret, this once. @param {{ made: { name: string, secret: string }, close: () => void }} props */
function Secret({ made, close }) {
  useEffect(() => askBeforeLeaving(() => true), []);
  const copy = () =>
    navigator.clipboard.writeText(made.secret).then(
      () => say("Copied."),
      () => say(new Error("The browser did not let the page copy. Select the key and copy it yourself.")),
    );
  return html`
    <div class="approval" role="alert">
      <p>The secret of “${made.name}” is shown this once: copy it now.</p>
      <p><code class="secret">${made.secret}</code></p>
      <p><button class="primary" onClick=${copy}>Copy</button> <button class="quiet" onClick=${close}>I have it</button></p>
    </div>`;
}
