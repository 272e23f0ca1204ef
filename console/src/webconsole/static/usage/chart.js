// One measure by day, as bars; the same as a table for whoever can't see them.
import { html } from "../app/html.js";
import { MEASURES, totalsOf } from "./totals.js";

/** @typedef {import("./totals.js").Row} Row */

const DAY_MS = 86_400_000;
const LABEL = /** @type {const} */ ({ month: "short", day: "numeric", timeZone: "UTC" });

/** @param {string} day */
function label(day) {
  return new Date(day).toLocaleDateString(undefined, LABEL);
}

/** @param {{ rows: Row[], from: Date, days: number, measure: string }} props */
export function Chart({ rows, from, days, measure }) {
  const { title, value, text } = MEASURES.find((one) => one.name === measure) ?? MEASURES[0];
  const known = new Map(rows.map((row) => [row.group, row]));
  const bars = Array.from({ length: days }, (_, number) => {
    const day = new Date(from.getTime() + number * DAY_MS).toISOString().slice(0, 10);
    const totals = totalsOf([known.get(day)].filter((row) => row !== undefined));
    return { day, height: value(totals), said: text(totals) };
  });
  const highest = bars.reduce((most, bar) => (bar.height > most.height ? bar : most), bars[0]);
  return html`
    <figure class="chart">
      <figcaption>${title} by day (UTC)${highest.height > 0 && `, at most ${highest.said} on ${label(highest.day)}`}</figcaption>
      <div class="bars" aria-hidden="true">
        ${bars.map(
          ({ day, height, said }) => html`
            <span title=${`${label(day)}: ${said}`}><span style=${{ height: `${highest.height ? (height / highest.height) * 100 : 0}%` }}></span></span>`,
        )}
      </div>
      <p class="ends hint" aria-hidden="true"><span>${label(bars[0].day)}</span><span>${label(bars[days - 1].day)}</span></p>
      <details>
        <summary>As numbers</summary>
        <table>
          <thead><tr><th>Day</th><th class="number">${title}</th></tr></thead>
          <tbody>${bars.map(({ day, said }) => html`<tr><td>${day}</td><td class="number">${said}</td></tr>`)}</tbody>
        </table>
      </details>
    </figure>
  `;
}
