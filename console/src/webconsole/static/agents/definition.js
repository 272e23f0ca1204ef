// What an agent is, its versions, and what changed from one to another.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { go } from "../app/router.js";
import { may } from "../app/session.js";
import { when } from "../parts/format.js";
import { lineDiff } from "../parts/line-diff.js";
import { say } from "../parts/notice.js";
import { Editor } from "./editor.js";
import { linesOf } from "./lines.js";

/** How a run of lines is marked: its sign, class, and what is said of it to those who don't see it. */
const SHOWN = { same: ["=", "", ""], gone: ["-", "minus", "removed: "], new: ["+", "plus", "added: "] };

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
  const from = useSignal(0);
  const to = useSignal(0);
  useEffect(() => {
    all(["agents", name, "versions"])
      .then((found) => {
        known.value = found;
        to.value = found[0].version;
        from.value = found[1].version;
      })
      .catch((error) => (problem.value = error.message));
  }, [name]);
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!to.value) return null;
  const linesIn = (/** @type {number} */ version) => known.value.filter((one) => one.version === version).flatMap(linesOf);
  const changed = lineDiff(linesIn(from.value), linesIn(to.value));
  /** @param {string} label @param {{ value: number }} chosen */
  const pick = (label, chosen) => html`
    <label>${label} <select value=${chosen.value} onChange=${(/** @type {any} */ event) => (chosen.value = Number(event.target.value))}>
      ${known.value.map((one) => html`<option value=${one.version} selected=${one.version === chosen.value}>${one.version} · ${when(one.updated_at)}</option>`)}
    </select></label>`;
  return html`
    <details class="versions">
      <summary>What changed between versions</summary>
      <p class="choices">${pick("From", from)} ${pick("to", to)}</p>
      <pre class="lines diff" tabindex="0">${changed.flatMap(({ kind, lines }) => {
        const [sign, look, said] = SHOWN[kind];
        return lines.map((line) => html`<span class=${`line ${look}`} data-change=${sign}><span class="unseen">${said}</span>${line}${"\n"}</span>`);
      })}</pre>
    </details>`;
}
