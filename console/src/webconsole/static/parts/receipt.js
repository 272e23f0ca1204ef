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

/** @typedef {import("../chat/conversation.js").Turn} Turn */
/** @typedef {Partial<Omit<Api.Receipt, "tokens">> & { agent?: string, tokens: Partial<Api.TokenCounts> }} Known */

const KINDS = { prompt: "read", completion: "written", embedding: "embedded", rerank: "reranked", reading: "judged" };

/** Of an answer in the chat. @param {{ turn: Turn }} props */
export function TurnReceipt({ turn }) {
  const receipt = knownOf(turn);
  return receipt && html`<${Receipt} receipt=${receipt} model=${turn.model} />`;
}

/** @param {{ receipt: Known, model: string, ms?: number, open?: boolean }} props `ms`: what it took, where it has no stages */
export function Receipt({ receipt, model, ms = 0, open = false }) {
  const { stages = [], attempts = [], degraded = [], cost_usd, variant } = receipt;
  const kinds = Object.entries(KINDS).map(([kind, what]) => ({ what, count: receipt.tokens[/** @type {keyof typeof KINDS} */ (kind)] ?? 0 }));
  const used = kinds.filter(({ count }) => count > 0);
  const tokens = used.reduce((sum, { count }) => sum + count, 0);
  const total = stages.reduce((sum, stage) => sum + stage.ms, 0) || ms;
  const took = total > 0 && duration(total);
  const paid = cost_usd !== undefined && cost(cost_usd);
  const rows = {
    Asked: model,
    Variant: variant?.version ? `${variant.name} of ${variant.route}, version ${variant.version}` : variant?.name,
    Agent: receipt.agent,
    Model: receipt.model,
    "Model's files": receipt.model_digest && html`<code>${receipt.model_digest}</code>`,
    Prompt: receipt.prompt,
    Instructions: receipt.instructions,
    Tokens: used.map(({ what, count }) => `${counted(count, "token")} ${what}`).join(", ") || "none",
    Cost: paid,
    Cache: receipt.cache,
    "Went without": degraded.join(", "),
    Request: receipt.request_id && html`<code>${receipt.request_id}</code>`,
  };
  return html`
    <details class="receipt" open=${open}>
      <summary>Receipt: ${[took, counted(tokens, "token"), paid].filter(Boolean).join(", ")}</summary>
      ${stages.length > 0 && html`<${Stages} stages=${stages} />`}
      <dl>
        ${Object.entries(rows).map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}
        ${attempts.map(
          (attempt) => html`
            <dt>Attempt</dt><dd>${attempt.model} by ${attempt.upstream}: ${attempt.outcome}, ${duration(attempt.ms)}</dd>`,
        )}
      </dl>
    </details>
  `;
}

/** A receipt, an agent's report, or of a model alone its usage and headers. @param {Turn} turn @returns {Known | null} */
function knownOf({ report, usage, said }) {
  if (report?.receipt) return report.receipt;
  const run = report && "run_id" in report ? /** @type {Api.RunReport} */ (/** @type {unknown} */ (report)) : null;
  const used = run?.usage ?? usage;
  if (!used) return null;
  const of = (/** @type {string} */ what) => said?.[`x-groundwork-${what}`];
  return {
    tokens: { prompt: used.prompt_tokens, completion: used.completion_tokens },
    cost_usd: run?.usage.cost_usd,
    degraded: run?.degraded,
    agent: run ? `${run.agent}@${run.agent_version}, ${counted(run.steps, "step")}, ${counted(run.tool_calls, "call")} of tools` : undefined,
    model: of("model"),
    model_digest: of("model-digest"),
    prompt: run?.prompt ?? of("prompt"),
    variant: { name: of("variant") ?? "", route: "", version: 0 },
    cache: /** @type {Api.Receipt["cache"] | undefined} */ (of("cache")),
  };
}

/** @param {string | null} usd */
function cost(usd) {
  return usd === null ? "no price known" : `${Number(usd).toFixed(6).replace(/\.?0+$/, "")} USD`;
}
