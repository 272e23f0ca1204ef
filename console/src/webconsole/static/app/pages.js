// The pages. Each but the chat is loaded when it is first opened: the first answer waits for nothing else.
import { Chat } from "../pages/chat.js";
import { html, useEffect, useErrorBoundary, useSignal } from "./html.js";
import { isUpgraded } from "./version.js";

/** A page with scopes is in the menu of a key that has one of them. `load` gives its component.
 * @typedef {{ name: string, title: string, load: () => Promise<any>, scopes?: Api.Me["scopes"] }} Page */

/** @type {Page[]} */
export const PAGES = [
  { name: "chat", title: "Chat", load: async () => Chat },
  { name: "documents", title: "Documents", load: async () => (await import("../pages/documents.js")).Documents, scopes: ["documents", "search"] },
  { name: "search", title: "Search lab", load: async () => (await import("../pages/search.js")).SearchLab, scopes: ["search"] },
  { name: "agents", title: "Agents", load: async () => (await import("../pages/agents.js")).Agents, scopes: ["agents"] },
  { name: "prompts", title: "Prompts", load: async () => (await import("../pages/prompts.js")).Prompts, scopes: ["agents:write", "prompts:release"] },
  { name: "records", title: "Records", load: async () => (await import("../pages/records.js")).Records, scopes: ["records:read"] },
  { name: "reviews", title: "Reviews", load: async () => (await import("../pages/reviews.js")).Reviews, scopes: ["feedback:review", "feedback:write"] },
  { name: "evaluations", title: "Evaluations", load: async () => (await import("../pages/evaluations.js")).Evaluations, scopes: ["evaluations:read", "evaluations:write"] },
  { name: "experiments", title: "Experiments", load: async () => (await import("../pages/experiments.js")).Experiments, scopes: ["admin"] },
  { name: "usage", title: "Usage", load: async () => (await import("../pages/usage.js")).Usage },
  { name: "operations", title: "Operations", load: async () => (await import("../pages/operations.js")).Operations },
];

const UPGRADED = "Groundwork was upgraded since this tab was opened. Reload it to go on.";
const LOST = "This page could not be loaded: Groundwork is being restarted, or can't be reached. Reload the tab once it is back.";
const BROKEN = "This page met an error of its own and was stopped. Reload it; if it comes again, please report it: ";
const loaded = /** @type {Map<string, any>} */ (new Map([["chat", Chat]]));

/** A page once it is here; what to do where it can't be had, or fails. @param {{ page: Page }} props */
export function Opened({ page: { name, load } }) {
  const shown = useSignal(loaded.get(name) ?? null);
  const problem = useSignal("");
  const [fault] = useErrorBoundary();
  useEffect(() => {
    if (!shown.value) open(name, load).then((page) => (shown.value = page), ({ message }) => (problem.value = message));
  }, []);
  const wrong = fault ? BROKEN + fault.message : problem.value;
  if (wrong) return html`<p class="problem alone" role="alert">${wrong} <${Reload} /></p>`;
  return shown.value ? html`<${shown.value} />` : html`<p class="hint alone" role="status">Loading …</p>`;
}

/** @param {string} name @param {() => Promise<any>} load */
async function open(name, load) {
  if (await isUpgraded()) throw new Error(UPGRADED);
  try {
    loaded.set(name, await load());
  } catch {
    throw new Error((await isUpgraded()) ? UPGRADED : LOST);
  }
  return loaded.get(name);
}

/** Loads the tab anew, where there is something to load: the browser's own error page knows no way back. */
export function Reload() {
  const away = useSignal(false);
  async function reload() {
    away.value = !(await fetch(location.pathname, { cache: "no-cache" }).then(({ ok }) => ok, () => false));
    if (!away.value) location.reload();
  }
  return html`<button onClick=${reload}>Reload</button>${away.value && html` <span class="hint">Still away. Try again in a moment.</span>`}`;
}
