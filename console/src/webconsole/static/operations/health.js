// Whether each part can do its job now.
import { readiness } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { duration } from "../parts/format.js";
import { usePolling } from "../parts/poll.js";

const EVERY_MS = 5000;
const ABOUT = /** @type {Record<string, string>} */ ({
  database: "keys, limits, usage", records: "answers on record", redis: "wake-ups, limits, caches", agent: "answers and runs", ingest: "documents and jobs",
  retriever: "collections and search", inference: "models", lab: "question sets, evaluations, tuning", disk: "room for what is added",
});

/** The section. */
export function Health() {
  const health = useSignal(/** @type {Api.Health | null} */ (null));
  const problem = useSignal("");
  usePolling(
    async (signal) => {
      try {
        health.value = await readiness(signal);
        problem.value = "";
      } catch (error) {
        if (!signal.aborted) problem.value = /** @type {Error} */ (error).message;
      }
    },
    EVERY_MS,
    [],
  );
  if (problem.value) return html`<p class="problem" role="alert">${problem.value}</p>`;
  if (!health.value) return html`<p class="hint" role="status">Looking …</p>`;
  const { status, version, parts } = health.value;
  const away = Object.values(parts).filter((part) => !part.ok).length;
  return html`
    <p role="status"><strong>${status === "ok" ? "Everything works." : away === 1 ? "One part does not work." : `${away} parts do not work.`}</strong>
      <span class="hint"> Version ${version}. Looked at every ${EVERY_MS / 1000} seconds.</span></p>
    <table class="wide">
      <thead><tr><th>Part</th><th>State</th><th class="number">Answered in</th></tr></thead>
      <tbody>
        ${Object.entries(parts).map(([name, part]) => html`
          <tr key=${name} data-part=${name}>
            <td>${name} <span class="hint">${ABOUT[name]}</span></td>
            <td><span class=${`status ${part.ok ? "" : "failed"}`}>${part.ok ? "works" : "does not work"}</span>
              ${part.detail && html`<p class=${part.ok ? "hint" : "problem"}>${part.detail}</p>`}</td>
            <td class="number" data-label="Answered in">${duration(part.ms)}</td>
          </tr>`)}
      </tbody>
    </table>`;
}
