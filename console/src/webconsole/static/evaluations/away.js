// What is said where the lab does not answer: nothing else needs it.
import { html } from "../app/html.js";

/** @param {{ error: Error & { status?: number }, again?: () => unknown }} props */
export function Away({ error, again }) {
  const isAway = (error.status ?? 0) >= 502;
  return html`<p class="problem" role="alert">${isAway && "The lab, which keeps question sets and evaluations, does not answer. Everything else works without it. "}${error.message}
    ${again && html` <button onClick=${again}>Try again</button>`}</p>`;
}
