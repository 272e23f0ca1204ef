// Models: what there is and how it does, what is being fetched, the names that stand for several.
import { all, call, send } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { bytes } from "../parts/format.js";
import { say } from "../parts/notice.js";
import { usePolling } from "../parts/poll.js";
import { ModelForm } from "./model-form.js";

const EVERY_MS = 5000;
const KINDS = new Set(["chat", "embedding", "rerank", "reading", "classification"]);
const STATES = /** @type {Record<string, string>} */ ({ ready: "ready", loading: "loading", not_answering: "does not answer", failed: "could not be loaded" });
const CIRCUITS = /** @type {Record<string, string>} */ ({ closed: "calls go through", half_open: "tried again with a few calls", open: "no calls: it failed too often" });
const OPEN_PULLS = new Set(["queued", "running"]);

/** The section. */
export function Models() {
  const models = useSignal(/** @type {Api.ModelInfo[] | null} */ (null));
  const routes = useSignal(/** @type {Api.Route[]} */ ([]));
  const pulls = useSignal(/** @type {Api.Pull[]} */ ([]));
  const problem = useSignal("");
  const adding = useSignal(false);
  const again = useSignal(0);
  const isAdmin = may("admin");
  usePolling(
    async (signal) => {
      try {
        const [listed, known, fetched] = await Promise.all([
          call("GET", ["models"], { signal }),
          isAdmin ? all(["routes"]) : [],
          isAdmin ? call("GET", ["models", "pull"], { signal }) : { data: [] },
        ]);
        models.value = listed.data.filter((model) => KINDS.has(model.kind));
        routes.value = known;
        pulls.value = fetched.data;
        problem.value = "";
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
      }
    },
    EVERY_MS,
    [again.value],
  );
  const changed = () => {
    adding.value = false;
    again.value += 1;
  };
  /** @param {string} method @param {string[]} path */
  const act = (method, ...path) => send(method, ["models", ...path]).then(changed, say);
  if (problem.value && !models.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!models.value) return html`<p class="hint" role="status">Looking …</p>`;
  const states = new Map(routes.value.flatMap((route) => route.upstreams.map((upstream) => /** @type {const} */ ([upstream.model, upstream]))));
  return html`
    ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
    <table class="wide">
      <thead><tr><th>Model</th><th>State</th><th>Calls</th><th class="number">Reads</th><th>USD for a million tokens</th>
        ${isAdmin && html`<th><span class="unseen">What to do</span></th>`}</tr></thead>
      <tbody>
        ${models.value.map((model) => html`<${ModelRow} key=${model.id} model=${model} upstream=${states.get(model.id)} isAdmin=${isAdmin} act=${act} />`)}
      </tbody>
    </table>
    ${isAdmin && (adding.value
      ? html`<${ModelForm} done=${changed} cancel=${() => (adding.value = false)} />`
      : html`<p><button class="primary" onClick=${() => (adding.value = true)}>Add a model</button></p>`)}
    ${pulls.value.length > 0 && html`<section aria-labelledby="pulls"><h2 id="pulls">Fetched models</h2>
      <ul class="rows">${pulls.value.map((pull) => html`<${Pull} key=${pull.id} pull=${pull} cancel=${() => act("DELETE", "pull", pull.id)} />`)}</ul></section>`}
    <${Routes} routes=${routes.value.filter((route) => route.configured)} />
  `;
}

/** @param {{ model: Api.ModelInfo, upstream: Api.UpstreamState | undefined, isAdmin: boolean, act: (method: string, ...path: string[]) => void }} props */
function ModelRow({ model, upstream, isAdmin, act }) {
  const sure = useSignal(false);
  const { id, kind, state, asleep, reason, price, context_length: context } = model;
  const about = [kind, model.default && "default", model.packaged && "packaged", model.added && "added", model.quantization].filter(Boolean).join(", ");
  return html`
    <tr data-model=${id}>
      <td>${id} <span class="hint">${about}</span></td>
      <td><span class=${`status ${state === "ready" || state === null ? "" : state === "loading" ? "queued" : "failed"}`}>${asleep && state === "ready" ? "asleep until it is asked" : STATES[state ?? ""] ?? "known"}</span>
        ${reason && html`<p class="problem">${reason}</p>`}</td>
      <td>${upstream && html`<${Upstream} upstream=${upstream} />`}</td>
      <td class="number" data-label="Reads">${context ? `${context.toLocaleString()} tokens` : ""}</td>
      <td data-label="USD for a million tokens">${price ? `${price.prompt_usd_per_million} read, ${price.completion_usd_per_million} written` : html`<span class="hint">not known</span>`}</td>
      ${isAdmin && html`<td class="actions">
        ${!model.default && kind !== "reading" && html`<button class="quiet" aria-label=${`Make ${id} the default`} onClick=${() => act("PUT", id, "default")}>Make default</button>`}
        ${model.added && (sure.value
          ? html`<button class="danger" onClick=${() => act("DELETE", id)}>Remove</button><button class="quiet" onClick=${() => (sure.value = false)}>Keep</button>`
          : html`<button class="quiet" aria-label=${`Remove ${id}`} onClick=${() => (sure.value = true)}>Remove</button>`)}
      </td>`}
    </tr>`;
}

/** @param {{ upstream: Api.UpstreamState }} props */
function Upstream({ upstream }) {
  const { circuit, requests, failures, latency_ms: latency } = upstream;
  return html`
    <span class=${`status ${circuit === "closed" ? "" : circuit === "open" ? "failed" : "queued"}`}>${CIRCUITS[circuit]}</span>
    <p class="hint">${failures} of ${requests} failed lately${latency !== null && `, first words after ${Math.round(latency)} ms`}</p>`;
}

/** @param {{ pull: Api.Pull, cancel: () => void }} props */
function Pull({ pull, cancel }) {
  const { model, status, bytes_done: done, bytes_total: total, error, waiting_on: waits } = pull;
  return html`
    <li class="row" data-pull=${model}>
      <span class="name">${model} <span class="hint">${Object.values(pull.source).filter((value) => typeof value === "string").join(" ")}</span></span>
      ${OPEN_PULLS.has(status) && html`<progress max=${total ?? 1} value=${total ? done : null} aria-label=${`How much of ${model} is there`}></progress>`}
      <span class=${`status ${status === "ready" ? "" : status === "running" ? "queued" : status}`}>${status}, ${bytes(done)}${total && ` of ${bytes(total)}`}${waits && `, waits for ${waits}`}</span>
      ${OPEN_PULLS.has(status) && html`<button class="quiet" aria-label=${`Cancel ${model}`} onClick=${cancel}>Cancel</button>`}
      ${error && html`<p class="problem">${error.message}</p>`}
    </li>`;
}

/** @param {{ routes: Api.Route[] }} props */
function Routes({ routes }) {
  if (!routes.length) return null;
  const list = (/** @type {string[]} */ names) => names.join(", ") || "nothing";
  return html`
    <section aria-labelledby="routes"><h2 id="routes">Routes</h2>
      <table class="wide">
        <thead><tr><th>Name</th><th>Goes to</th><th>Where that fails</th></tr></thead>
        <tbody>${routes.map((route) => html`
          <tr key=${route.name}><td>${route.name}</td>
            <td>${route.targets.map(({ model, weight }) => `${model} (${weight})`).join(", ")}</td>
            <td>${list(route.on_error)}; a prompt too long: ${list(route.on_context_overflow)}; a refusal: ${list(route.on_refusal)}</td></tr>`)}
        </tbody>
      </table></section>`;
}
