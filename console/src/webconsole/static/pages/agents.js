// Agents: what they are, their runs as they go, and the calls that wait for a person.
import { all } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { Definition } from "../agents/definition.js";
import { Editor } from "../agents/editor.js";
import { Run, Starter } from "../agents/run.js";
import { RunList } from "../agents/run-list.js";

/** The page. */
export function Agents() {
  const agents = useSignal(/** @type {Api.Agent[] | null} */ (null));
  const adding = useSignal(false);
  const problem = useSignal("");
  const read = () => {
    problem.value = "";
    return all(["agents"])
      .then((found) => (agents.value = found))
      .catch((error) => (problem.value = error.message));
  };
  useEffect(() => {
    if (may("agents")) read();
  }, []);
  if (!may("agents")) {
    return html`<p class="hint alone">This key may not run agents. Sign in with one that has the scope “agents”.</p>`;
  }
  if (problem.value) {
    return html`<p class="problem alone" role="alert">${problem.value} <button onClick=${read}>Try again</button></p>`;
  }
  if (agents.value === null) return html`<p class="hint alone" role="status">Looking …</p>`;
  const name = route.value.path[1];
  const query = route.value.query;
  const [thread, run] = [query.get("thread"), query.get("run")];
  const agent = agents.value.find((one) => one.name === name);
  const saved = async (/** @type {string} */ made) => {
    adding.value = false;
    await read();
    go("agents", made);
  };
  return html`
    <div class="sided">
      <nav class="collections" aria-label="Agents">
        <h2><a href=${addressOf("agents")} aria-current=${name ? null : "page"}>All agents</a></h2>
        <ul>
          ${agents.value.map((one) => html`
            <li><a href=${addressOf("agents", one.name)} aria-current=${one.name === name ? "page" : null}><span>${one.name}</span><span class="number">${one.version}</span></a></li>`)}
        </ul>
        ${may("agents:write") && html`<button class="quiet" onClick=${() => (adding.value = true)}>New agent</button>`}
      </nav>
      <section class="inside" aria-label=${name ? `Agent ${name}` : "Agents"}>
        ${adding.value
          ? html`<${Editor} agent=${null} saved=${saved} cancel=${() => (adding.value = false)} />`
          : thread && run
            ? html`<p><a href=${addressOf("agents", name)}>← ${name}</a></p><${Run} key=${run} thread=${thread} id=${run} />`
            : name && !agent
              ? html`<h1>There is no agent “${name}”</h1><p class="hint">It may have been deleted; its runs can still be read.</p>`
              : agent
                ? html`<h1>${agent.name}</h1><${Starter} agent=${agent.name} label=${`Ask ${agent.name}`} />
                    <${RunList} key=${agent.name} agent=${agent.name} /><${Definition} key=${agent.name + agent.version} agent=${agent} changed=${read} />`
                : html`<${Overview} isEmpty=${!agents.value.length} />`}
      </section>
    </div>`;
}

/** @param {{ isEmpty: boolean }} props */
function Overview({ isEmpty }) {
  return html`
    <h1>Agents</h1>
    ${isEmpty
      ? html`<p class="hint">There are none yet. An agent is a model with instructions and tools; every run of it is kept with all that it did.
          ${may("agents:write") ? " Make one with “New agent”." : " This key may not make any."}</p>`
      : html`<${RunList} agent=${null} />`}`;
}
