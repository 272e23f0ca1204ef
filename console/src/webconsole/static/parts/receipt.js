// What an answer took: stages as a timeline, tokens, cost, the models that were asked.
import { html } from "../app/html.js";
import { counted, duration } from "./format.js";

/** Stages as a timeline. @param {{ stages: Api.StageTime[] }} props */
export function Stages({ stages }) {
  const total = stages.reduce((sum, stage) => sum + stage.ms, 0);
  let begun = 0;
  const rows = stages.map(({ name, ms }) => {
    const left = total ? (begun / total) * 100 : 0;
    begun += ms;
    return html`
      <li>
        <span>${name}</span>
        <span class="bar"><span style=${{ marginLeft: `${left}%`, width: `${total ? (ms / total) * 100 : 0}%` }}></span></span>
        <span class="number">${duration(ms)}</span>
      </li>`;
  });
  return html`<ol class="stages">${rows}</ol>`;
}

/** @param {{ receipt: Api.Receipt, model: string, ms?: number, open?: boolean }} props `ms`: what it took, where it has no stages */
export function Receipt({ receipt, model, ms = 0, open = false }) {
  const total = receipt.stages.reduce((sum, stage) => sum + stage.ms, 0) || ms;
  const { prompt, completion, embedding } = receipt.tokens;
  return html`
    <details class="receipt" open=${open}>
      <summary>Receipt: ${duration(total)}, ${counted(prompt + completion, "token")}, ${cost(receipt.cost_usd)}</summary>
      ${receipt.stages.length > 0 && html`<${Stages} stages=${receipt.stages} />`}
      <dl>
        <dt>Asked</dt><dd>${model}</dd>
        <dt>Tokens</dt><dd>${prompt} read, ${completion} written, ${embedding} embedded</dd>
        <dt>Cost</dt><dd>${cost(receipt.cost_usd)}</dd>
        <dt>Cache</dt><dd>${receipt.cache}</dd>
        ${receipt.attempts.map(
          (attempt) => html`
            <dt>Attempt</dt><dd>${attempt.model} by ${attempt.upstream}: ${attempt.outcome}, ${duration(attempt.ms)}</dd>`,
        )}
        ${receipt.degraded.length > 0 && html`<dt>Went without</dt><dd>${receipt.degraded.join(", ")}</dd>`}
        <dt>Request</dt><dd><code>${receipt.request_id}</code></dd>
      </dl>
    </details>
  `;
}

/** @param {string | null} usd */
function cost(usd) {
  return usd === null ? "no price known" : `${Number(usd).toFixed(6).replace(/\.?0+$/, "")} USD`;
}
