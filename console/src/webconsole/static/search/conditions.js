// Which documents are searched: conditions on what is known of them.
import { html, useLayoutEffect, useRef } from "../app/html.js";
import { TESTS } from "./ways.js";

/** @typedef {import("./ways.js").Condition} Condition */

/** @param {{ conditions: Condition[], change: (conditions: Condition[]) => void, keys: string[] }} props */
export function Conditions({ conditions, change, keys }) {
  const last = useRef(/** @type {HTMLInputElement | null} */ (null));
  // Before somebody can type on: what is typed after a click belongs here.
  useLayoutEffect(() => {
    if (conditions.length && !conditions[conditions.length - 1].key) last.current?.focus();
  }, [conditions.length]);
  /** @param {number} number @param {Partial<Condition>} values */
  const set = (number, values) => change(conditions.map((one, at) => (at === number ? { ...one, ...values } : one)));
  return html`
    <datalist id="known-keys">${keys.map((key) => html`<option value=${key}></option>`)}</datalist>
    ${conditions.map(
      ({ key, test, value }, number) => html`
        <fieldset class="condition" key=${number}>
          <legend class="unseen">Condition ${number + 1}</legend>
          <input list="known-keys" required aria-label="What is known of a document" placeholder="metadata.team" value=${key}
            ref=${number === conditions.length - 1 ? last : null} onInput=${(/** @type {any} */ event) => set(number, { key: event.target.value })} />
          <select aria-label="How it is compared" value=${test}
            onChange=${(/** @type {any} */ event) => set(number, { test: event.target.value })}>
            ${TESTS.map((one) => html`<option>${one}</option>`)}
          </select>
          <input required aria-label="Compared with" placeholder="hr" value=${value}
            type=${test.startsWith("at ") ? "number" : "text"} step="any"
            onInput=${(/** @type {any} */ event) => set(number, { value: event.target.value })} />
          <button type="button" class="quiet" aria-label=${`Remove condition ${number + 1}`}
            onClick=${() => change(conditions.filter((_, at) => at !== number))}>✕</button>
        </fieldset>`,
    )}
  `;
}
