// What an agent is, its versions, and what changed from one to another.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { go } from "../app/router.js";
import { may } from "../app/session.js";
import { Changes } from "../parts/changes.js";
import { when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Editor } from "./editor.js";
import { linesOf } from "./lines.js";

/** @param {{ agent: Api.Agent, changed: () => void }} props */
export function Definition({ agent, changed }) {
  const editing = useSignal(false);
  const sure = useSignal(false);
  const remove = () =>
    call("DELETE", ["agents", agent.name])
      .then(changed)
      .then(() => go("agents"))
      .catch(say);
  if (editing.value) {
    const done = () => {
      editing.value = false;
      changed();
    };
    return html`<${Editor} agent=${agent} saved=${done} cancel=${() => (editing.value = false)} />`;
  }
  return html`
    <section aria-labelledby="definition">
      <header class="bar-of-choices">
        <h2 id="definition">Definition</h2>
        <span class="hint">version ${agent.version}, ${when(agent.updated_at)}</span>
        ${may("agents:write") && html`<button onClick=${() => (editing.value = true)} disabled=${agent.withheld}>Edit</button>`}
        ${may("agents:write") &&
        (sure.value
          ? html`<span role="alert"><button class="danger" onClick=${remove}>Delete it</button>
              <button class="quiet" onClick=${() => (sure.value = false)}>Keep</button></span>`
          : html`<button class="quiet" onClick=${() => (sure.value = true)}>Delete</button>`)}
      </header>
      ${agent.withheld
        ? html`<p class="hint">This key may run it, not read how it is defined.</p>`
        : html`<pre class="lines" tabindex="0">${linesOf(agent).join("\n")}</pre>`}
      ${!agent.withheld && agent.version > 1 && html`<${Versions} key=${agent.version} name=${agent.name} />`}
    </section>`;
}

/** @param {{ name: string }} props */
function Versions({ name }) {
  const known = useSignal(/** @type {Api.Agent[]} */ ([]));
  const problem = useSignal("");
  useEffect(() => {
    all(["agents", name, "versions"]).then((found) => (known.value = found), ({ message }) => (problem.value = message));
  }, [name]);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  return known.value.length > 1 && html`<${Changes} versions=${known.value} linesOf=${linesOf} />`;
}
