// Prompts: what they say, their versions and labels, what changed, and how two of them answer.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, addressWith, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { Changes } from "../parts/changes.js";
import { when } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { Editor } from "../prompts/editor.js";
import { Labels } from "../prompts/labels.js";
import { linesOf } from "../prompts/template.js";
import { Try } from "../prompts/try.js";
import { Preview } from "../prompts/values.js";

/** Begins the names of prompts that ship: there is always one. */
const SHIPS = "groundwork-";
/** Those by which a question alone has an answer worded. */
const TRIED = ["groundwork-answer", "groundwork-answer-small", "groundwork-summary"];
/** The most versions that are shown. */
const MOST = 200;

/** The page. The address holds which prompt and which of its versions is open. */
export function Prompts() {
  const prompts = useSignal(/** @type {Api.PromptSummary[] | null} */ (null));
  const adding = useSignal(false);
  const problem = useSignal("");
  const read = () => {
    problem.value = "";
    return all(["prompts"]).then((found) => (prompts.value = found), ({ message }) => (problem.value = message));
  };
  useEffect(() => void read(), []);
  if (problem.value) return html`<p class="problem alone" role="alert">${problem.value} <button onClick=${read}>Try again</button></p>`;
  if (prompts.value === null) return html`<p class="hint alone" role="status">Looking …</p>`;
  const name = route.value.path[1];
  const saved = async (/** @type {Api.Prompt} */ made) => {
    adding.value = false;
    await read();
    go("prompts", made.name);
  };
  return html`
    <div class="sided">
      <nav class="collections" aria-label="Prompts">
        <h2><a href=${addressOf("prompts")} aria-current=${name ? null : "page"}>All prompts</a></h2>
        <ul>${prompts.value.map((one) => html`
          <li><a href=${addressOf("prompts", one.name)} aria-current=${one.name === name ? "page" : null}><span>${one.name}</span><span class="number">${one.version}</span></a></li>`)}</ul>
        ${may("agents:write") && html`<button class="quiet" onClick=${() => (adding.value = true)}>New prompt</button>`}
      </nav>
      <section class="inside" aria-label=${name ? `Prompt ${name}` : "Prompts"}>
        ${adding.value
          ? html`<${Editor} prompt=${null} saved=${saved} cancel=${() => (adding.value = false)} />`
          : name
            ? html`<${Prompt} key=${name} name=${name} changed=${read} />`
            : html`<${Overview} prompts=${prompts.value} />`}
      </section>
    </div>`;
}

/** @param {{ prompts: Api.PromptSummary[] }} props */
function Overview({ prompts }) {
  if (!prompts.length) {
    return html`<h1>Prompts</h1><p class="hint">There are none yet. A prompt is a template that the server keeps: each change is a version, and a label says which is used.
      ${may("agents:write") ? " Make one with “New prompt”." : " This key may not make any: that needs the scope “agents:write”."}</p>`;
  }
  return html`
    <h1>Prompts</h1>
    <table class="wide">
      <thead><tr><th>Prompt</th><th>Labels</th><th>Model</th><th>Newest</th><th>Changed</th></tr></thead>
      <tbody>${prompts.map((one) => html`
        <tr key=${one.name}>
          <td><a href=${addressOf("prompts", one.name)}>${one.name}</a>${one.description && html`<p class="hint">${one.description}${one.packaged && " As it ships."}</p>`}</td>
          <td data-label="Labels">${one.labels.map(({ label, version }) => html`<div>${label} <span class="hint">${version}</span></div>`)}</td>
          <td data-label="Model">${one.model}</td><td data-label="Newest">${one.newest}</td><td data-label="Changed">${when(one.updated_at)}</td>
        </tr>`)}</tbody>
    </table>`;
}

/** @param {{ name: string, changed: () => Promise<unknown> }} props */
function Prompt({ name, changed }) {
  const versions = useSignal(/** @type {Api.Prompt[] | null} */ (null));
  const problem = useSignal("");
  const read = async () => {
    try {
      versions.value = await all(["prompts", name, "versions"], {}, MOST);
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  };
  useEffect(() => void read(), []);
  if (problem.value) return html`<h1>${name}</h1><p class="problem" role="alert">${problem.value}</p>`;
  if (!versions.value) return html`<p class="hint" role="status">Looking …</p>`;
  const known = versions.value;
  const used = known[0].labels.find(({ label }) => label === "production")?.version;
  const wanted = Number(route.value.query.get("version")) || used;
  const prompt = known.find(({ version }) => version === wanted) ?? known[0];
  const again = () => Promise.all([read(), changed()]);
  return html`
    <${Version} key=${prompt.version} prompt=${prompt} versions=${known} changed=${again} />
    ${(!name.startsWith(SHIPS) || known.length > 1) && html`<${Labels} prompt=${prompt} numbers=${known.map(({ version }) => version)} changed=${again} />`}
    ${!prompt.withheld && known.length > 1 && html`<${Changes} key=${`changes-${known[0].version}`} versions=${known} linesOf=${linesOf} />`}
    ${!prompt.withheld && (!name.startsWith(SHIPS) || TRIED.includes(name)) && html`<${Try} key=${`try-${prompt.version}-${known.length}`} prompt=${prompt} versions=${known} first=${prompt.version} ships=${name.startsWith(SHIPS)} />`}`;
}

/** One version. @param {{ prompt: Api.Prompt, versions: Api.Prompt[], changed: () => Promise<unknown> }} props */
function Version({ prompt, versions, changed }) {
  const editing = useSignal("");
  const { name, version } = prompt;
  const ships = name.startsWith(SHIPS);
  const close = () => (editing.value = "");
  const saved = async (/** @type {Api.Prompt} */ made) => {
    close();
    await changed();
    location.hash = addressWith(["prompts", made.name], { version: made.version });
  };
  /** @param {readonly string[]} path @param {string} question @param {string} done @param {() => unknown} then */
  const remove = async (path, question, done, then) => {
    if (!confirm(question)) return;
    try {
      await call("DELETE", /** @type {any} */ (path));
      say(done);
      then();
      await changed();
    } catch (error) {
      say(error);
    }
  };
  const removeVersion = () =>
    remove(["prompts", name, "versions", String(version)], `Delete version ${version} of ${name} for ever?`, `Version ${version} is gone.`, () => go("prompts", name));
  const removeAll = () =>
    ships
      ? remove(["prompts", name], `Have ${name} be what ships, without your versions and labels?`, `${name} is what ships.`, () => go("prompts", name))
      : remove(["prompts", name], `Delete ${name} with all versions and labels? Calls of prompt:${name} fail from now on.`, `${name} is gone.`, () => go("prompts"));
  if (editing.value) return html`<h1>${name}</h1><${Editor} prompt=${prompt} copy=${editing.value === "copy"} saved=${saved} cancel=${close} />`;
  const fill = (/** @type {Record<string, string | number | boolean>} */ variables) => call("POST", ["prompts", name, "render"], { json: { version, variables } });
  const open = (/** @type {any} */ event) => (location.hash = addressWith(["prompts", name], { version: event.target.value }));
  return html`
    <header class="bar-of-choices">
      <h1>${name}</h1>
      <label>Version <select onChange=${open}>
        ${versions.map((one) => html`<option value=${one.version} selected=${one.version === version}>${one.version}${prompt.labels.filter((label) => label.version === one.version).map(({ label }) => ` · ${label}`)}</option>`)}
      </select></label>
      ${may("agents:write") && html`
        <button onClick=${() => (editing.value = "version")} disabled=${prompt.withheld}>Edit</button>
        <button class="quiet" onClick=${() => (editing.value = "copy")} disabled=${prompt.withheld}>Copy</button>
        ${versions.length > 1 && html`<button class="quiet" onClick=${removeVersion}>Delete version</button>`}
        ${ships ? versions.length > 1 && html`<button class="quiet" onClick=${removeAll}>Back to what ships</button>` : html`<button class="quiet" onClick=${removeAll}>Delete prompt</button>`}`}
    </header>
    ${prompt.withheld
      ? html`<p class="hint">This key may use it, not read what it says.</p>`
      : html`<section aria-label="What it says"><p class="hint">Version ${version}, ${when(prompt.updated_at)}${prompt.packaged && `, as it ships: “Edit” makes a version of your own, used once production points at it`}</p>
          <pre class="lines" tabindex="0" aria-label=${`Version ${version} of ${name}`}>${linesOf(prompt).join("\n")}</pre>
          <details class="versions"><summary>Preview: what a model is asked</summary><${Preview} variables=${prompt.variables} fill=${fill} /></details></section>`}`;
}
