// One of some measures.
import { html } from "../app/html.js";
import { titleOf } from "./measures.js";

/** @param {{ names: string[], chosen: string, choose: (name: string) => void }} props */
export function PickMeasure({ names, chosen, choose }) {
  return html`<label>Measure <select onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
    ${names.map((name) => html`<option value=${name} selected=${name === chosen}>${titleOf(name)}</option>`)}</select></label>`;
}
