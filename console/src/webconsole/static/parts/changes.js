// What changed between any two versions of what has some.
import { html, useSignal } from "../app/html.js";
import { when } from "./format.js";
import { lineDiff } from "./line-diff.js";

/** How a run of lines is marked: its sign, class, and what is said of it to those who don't see it. */
const SHOWN = { same: ["=", "", ""], gone: ["-", "minus", "removed: "], new: ["+", "plus", "added: "] };

/** @typedef {{ version: number, updated_at: string }} Version */

/** Two of the versions beside each other as lines: at first the newest and the one before it. At least two are needed.
 * @param {{ versions: any[], linesOf: (version: any) => string[] }} props newest first */
export function Changes({ versions, linesOf }) {
  const from = useSignal(versions[1].version);
  const to = useSignal(versions[0].version);
  const linesIn = (/** @type {number} */ version) => versions.filter((one) => one.version === version).flatMap(linesOf);
  const changed = lineDiff(linesIn(from.value), linesIn(to.value));
  return html`
    <details class="versions">
      <summary>What changed between versions</summary>
      <p class="choices"><${PickVersion} label="From" versions=${versions} chosen=${from} /> <${PickVersion} label="to" versions=${versions} chosen=${to} /></p>
      <pre class="lines diff" tabindex="0" aria-label="What changed">${changed.flatMap(({ kind, lines }) => {
        const [sign, look, said] = SHOWN[kind];
        return lines.map((line) => html`<span class=${`line ${look}`} data-change=${sign}><span class="unseen">${said}</span>${line}${"\n"}</span>`);
      })}</pre>
    </details>`;
}

/** @param {{ label: string, versions: Version[], chosen: { value: number }, labels?: Api.PromptLabel[] }} props */
export function PickVersion({ label, versions, chosen, labels = [] }) {
  const named = (/** @type {number} */ number) => labels.filter(({ version }) => version === number).map((one) => ` · ${one.label}`);
  return html`
    <label>${label} <select onChange=${(/** @type {any} */ event) => (chosen.value = Number(event.target.value))}>
      ${versions.map(({ version, updated_at: at }) => html`
        <option value=${version} selected=${version === chosen.value}>${version} · ${when(at)}${named(version)}</option>`)}
    </select></label>`;
}
