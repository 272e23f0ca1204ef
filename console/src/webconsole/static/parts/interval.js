// A figure with its interval as a picture, and what tells several of them apart.
import { html } from "../app/html.js";

const WIDTH = 240;
const HEIGHT = 18;

/** @typedef {{ value: number | null, low?: number | null, high?: number | null }} Figure */

/** @param {number | null | undefined} value */
export function p(value) {
  if (value === null || value === undefined) return "";
  return value < 0.001 ? "< .001" : value.toFixed(3).replace(/^0/, "");
}

/** From where to where some intervals reach. @param {Figure[]} figures @returns {[number, number]} */
export function extent(figures) {
  const ends = figures.flatMap(({ low, high, value }) => [low, high, value]).filter((one) => one !== null && one !== undefined);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const room = (most - least) * 0.05 || Math.abs(most) * 0.05 || 1;
  return [least - room, most + room];
}

/** A figure as a point and its interval as a line, on a scale that several share; `zero` is where there is no difference.
 * @param {{ figure: Figure, scale: [number, number], text: (value: number) => string, zero?: number }} props */
export function Whisker({ figure: { value, low, high }, scale: [least, most], text, zero }) {
  if (value === null || value === undefined) return null;
  const at = (/** @type {number} */ one) => ((one - least) / (most - least)) * WIDTH;
  const known = low !== null && low !== undefined && high !== null && high !== undefined;
  const said = known ? `${text(value)}, 95 % between ${text(low)} and ${text(high)}` : `${text(value)}, too few for an interval`;
  return html`
    <svg class="whisker" viewBox="0 0 ${WIDTH} ${HEIGHT}" width=${WIDTH} height=${HEIGHT} role="img" aria-label=${said}>
      <title>${said}</title>
      ${zero !== undefined && html`<path class="zero" d="M${at(zero)} 0V${HEIGHT}" />`}
      ${known && html`<path d="M${at(low)} 4V14M${at(low)} 9H${at(high)}M${at(high)} 4V14" />`}
      <circle cx=${at(value)} cy="9" r="4" />
    </svg>`;
}
