// Limits and budgets as fields of a form: those of a key, or of a tenant for all of its keys together.
import { html } from "../app/html.js";

export const NAME = "[a-z0-9][a-z0-9_\\-]{0,62}";
export const NAMED = "Small letters, digits, - and _; it begins with a letter or a digit";
const LIMITS = /** @type {Record<keyof Api.Limits, string>} */ ({
  requests_per_minute: "Requests a minute", tokens_per_minute: "Tokens a minute", concurrency: "Calls at once",
});
const WINDOWS = /** @type {Api.BudgetInput["window"][]} */ (["day", "month"]);
const MOST_USD = 1_000_000;

/** The fields; empty: none. @param {{ row?: Pick<Api.Key, "limits" | "budgets">, first?: (field: HTMLElement | null) => void }} props `row`: whose
 * limits are changed; `first`: the `ref` of the first field */
export function Bounds({ row, first }) {
  return html`
    ${Object.entries(LIMITS).map(([name, title], at) => html`
      <label>${title} <input name=${name} type="number" min="1" ref=${at ? null : first} defaultValue=${row?.limits[/** @type {keyof Api.Limits} */ (name)]} /></label>`)}
    ${WINDOWS.map((window) => html`
      <label>USD a ${window} <input name=${window} type="number" min="0" max=${MOST_USD} step="any" defaultValue=${row?.budgets.find((one) => one.window === window)?.usd} /></label>`)}`;
}

/** @param {FormData} form @returns {(name: string) => string} */
export function textIn(form) {
  return (name) => String(form.get(name) ?? "").trim();
}

/** @param {FormData} form @returns {(name: string) => number | null} */
export function numberIn(form) {
  const text = textIn(form);
  return (name) => (text(name) ? Number(text(name)) : null);
}

/** What was typed into the fields, as the API has it. @param {FormData} form */
export function boundsIn(form) {
  const text = textIn(form);
  return {
    limits: Object.fromEntries(Object.keys(LIMITS).map((name) => [name, numberIn(form)(name)])),
    budgets: WINDOWS.filter(text).map((window) => ({ window, usd: text(window) })),
  };
}

/** What somebody changed of what a form says, also within `limits`: the rest may be what it can't say, or have been changed by others since.
 * @template {object} T @param {T} now @param {object} before @returns {Partial<T>} */
export function changesOf(now, before) {
  const was = new Map(Object.entries(before));
  const changed = Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(was.get(name)));
  return /** @type {Partial<T>} */ (Object.fromEntries(
    changed.map(([name, value]) => [name, name === "limits" ? changesOf(value, was.get(name)) : value])));
}
