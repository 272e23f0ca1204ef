// Measures of variants, and a picture of one with its interval.
import { html } from "../app/html.js";
import { duration } from "../parts/format.js";

const WIDTH = 240;
const HEIGHT = 18;

const percent = (/** @type {number} */ value) => `${(value * 100).toFixed(1)} %`;

/** @type {{ name: "rating" | "support" | "abstention" | "error_rate" | "cost_usd" | "latency_ms", title: string, better: string, text: (value: number) => string }[]} */
export const MEASURES = [
  { name: "rating", title: "Ratings that are up", better: "more is better", text: percent },
  { name: "support", title: "Answers that their sources support", better: "more is better", text: percent },
  { name: "abstention", title: "Answers that say no", better: "less is better", text: percent },
  { name: "error_rate", title: "Calls that failed", better: "less is better", text: percent },
  { name: "cost_usd", title: "Cost of a call", better: "less is better", text: (value) => `${value.toPrecision(3)} USD` },
  { name: "latency_ms", title: "Time of a call", better: "less is better", text: duration },
];

/** @param {number | null | undefined} value */
export function p(value) {
  if (value === null || value === undefined) return "";
  return value < 0.001 ? "< .001" : value.toFixed(3).replace(/^0/, "");
}

/** From where to where the intervals of some variants reach. @param {Api.Figure[]} figures @returns {[number, number]} */
export function extent(figures) {
  const ends = figures.flatMap(({ low, high, value }) => [low, high, value]).filter((one) => one !== null && one !== undefined);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const room = (most - least) * 0.05 || Math.abs(most) * 0.05 || 1;
  return [least - room, most + room];
}

/** The average as a point and its interval as a line, on a scale that variants share.
 * @param {{ figure: Api.Figure, scale: [number, number], text: (value: number) => string }} props */
export function Whisker({ figure: { value, low, high }, scale: [least, most], text }) {
  if (value === null || value === undefined) return null;
  const at = (/** @type {number} */ one) => ((one - least) / (most - least)) * WIDTH;
  const known = low !== null && low !== undefined && high !== null && high !== undefined;
  const said = known ? `${text(value)}, 95 % between ${text(low)} and ${text(high)}` : `${text(value)}, too few for an interval`;
  return html`
    <svg class="whisker" viewBox="0 0 ${WIDTH} ${HEIGHT}" width=${WIDTH} height=${HEIGHT} role="img" aria-label=${said}>
      <title>${said}</title>
      ${known && html`<path d="M${at(low)} 4V14M${at(low)} 9H${at(high)}M${at(high)} 4V14" />`}
      <circle cx=${at(value)} cy="9" r="4" />
    </svg>`;
}
