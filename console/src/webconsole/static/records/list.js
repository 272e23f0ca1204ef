// Records as a list with filters. The address holds the filters.
import { call } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressOf, addressWith, route } from "../app/router.js";
import { may } from "../app/session.js";
import { duration, when } from "../parts/format.js";
import { Recording } from "./recording.js";
import { Typed } from "./typed.js";

const PAGE = 30;
const ENDS = [["", "Any end"], ["abstained", "Abstained"], ["error", "Error"], ["answered", "Answered"]];
const RATINGS = [["", "Any rating"], ["up", "Rated up"], ["down", "Rated down"], ["none", "Not rated"]];
const TIMES = [["", "Any time"], ["1", "Today"], ["7", "7 days"], ["30", "30 days"]];
const DAY_MS = 86_400_000;

/** @typedef {{ q: string, end: string, rating: string, days: string, collection: string, model: string }} Wanted */

/** @returns {Wanted} */
function readWanted() {
  const given = route.value.query;
  const one = (/** @type {string} */ name) => given.get(name) ?? "";
  return { q: one("q"), end: one("end"), rating: one("rating"), days: one("days"), collection: one("collection"), model: one("model") };
}

/** What the API is asked for. @param {Wanted} wanted */
function queryOf({ q, end, rating, days, collection, model }) {
  const from = days ? new Date(Math.floor(Date.now() / DAY_MS - Number(days) + 1) * DAY_MS).toISOString() : "";
  const abstained = end === "abstained" ? "true" : end === "answered" ? "false" : "";
  const error = end === "error" ? "true" : end === "answered" ? "false" : "";
  return { q, rating, collection, model, from, abstained, error, limit: PAGE };
}

/** The list. */
export function RecordList() {
  const wanted = readWanted();
  const found = useSignal(/** @type {Api.RecordSummary[] | null} */ (null));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const problem = useSignal("");
  /** How many readings were begun: the reply to any but the last comes too late. */
  const begun = useRef(0);

  /** @param {boolean} more */
  async function read(more) {
    const number = (begun.current += 1);
    problem.value = "";
    try {
      const page = await call("GET", ["records"], { query: { ...queryOf(wanted), cursor: more ? cursor.value : "" } });
      if (number !== begun.current) return;
      found.value = [...(more ? (found.value ?? []) : []), ...page.data];
      cursor.value = page.next_cursor;
    } catch (error) {
      if (number === begun.current) problem.value = /** @type {Error} */ (error).message;
    }
  }
  useEffect(() => {
    found.value = cursor.value = null;
    read(false);
  }, [JSON.stringify(wanted)]);

  const choose = (/** @type {Partial<Wanted>} */ change) => (location.hash = addressWith(["records"], { ...readWanted(), ...change }));
  const isFiltered = Object.values(wanted).some(Boolean);
  return html`
    <header class="bar-of-choices"><h1>Records</h1><button class="quiet" onClick=${() => read(false)}>Read again</button></header>
    <div class="choices" role="search">
      <${Typed} type="search" label="Words of question or answer" placeholder="Words" most=${200} value=${wanted.q} choose=${(/** @type {string} */ q) => choose({ q })} />
      <${Typed} label="Collection" most=${63} value=${wanted.collection} choose=${(/** @type {string} */ collection) => choose({ collection })} />
      <${Typed} label="Model" most=${200} value=${wanted.model} choose=${(/** @type {string} */ model) => choose({ model })} />
      <${Pick} label="How it ended" options=${ENDS} value=${wanted.end} choose=${(/** @type {string} */ end) => choose({ end })} />
      <${Pick} label="Rating" options=${RATINGS} value=${wanted.rating} choose=${(/** @type {string} */ rating) => choose({ rating })} />
      <${Pick} label="Time" options=${TIMES} value=${wanted.days} choose=${(/** @type {string} */ days) => choose({ days })} />
    </div>
    ${wanted.end === "abstained" && html`<p class="hint">Questions that the documents did not answer: what to add to them.</p>`}
    ${problem.value && html`<p class="problem" role="alert">${problem.value} <button onClick=${() => read(false)}>Try again</button></p>`}
    ${found.value === null && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
    ${found.value?.length === 0 && html`<p class="hint">${cursor.value ? "None among the newest: there are older ones." : isFiltered ? "None is like that."
      : may("admin") ? "There are none yet. “Recording” says what is kept of answers from now on."
      : "There are none yet. Answers are recorded where a key or its tenant says so: somebody with the scope “admin” switches that on, on this page or with “groundwork tenant change NAME --records full”."}</p>`}
    <ul class="rows">
      ${(found.value ?? []).map((one) => html`
        <li key=${one.id}><a href=${addressOf("records", one.id)}>
          <span class="name">${one.question || one.id}</span>
          <span class="hint">${one.model}, <${End} record=${one} />${rated(one.rating)}, ${duration(one.ms)}, <time datetime=${one.at}>${when(one.at)}</time></span>
        </a></li>`)}
    </ul>
    ${cursor.value && html`<button class="quiet" onClick=${() => read(true)}>Show older ones</button>`}
    ${may("admin") && html`<${Recording} />`}`;
}

/** How an answer ended, in a word. @param {{ record: { abstained: boolean, error_type?: string | null } }} props */
export function End({ record }) {
  const end = record.error_type ?? (record.abstained ? "abstained" : "answered");
  return html`<span class="status" data-end=${end}>${end.replaceAll("_", " ")}</span>`;
}

/** What people think of it, after a comma. @param {number | null | undefined} rating */
export function rated(rating) {
  return rating ? (rating > 0 ? ", rated up" : ", rated down") : "";
}

/** @param {{ label: string, options: string[][], value: string, choose: (value: string) => void }} props */
function Pick({ label, options, value, choose }) {
  return html`
    <select aria-label=${label} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
      ${options.map(([name, title]) => html`<option value=${name} selected=${name === value}>${title}</option>`)}
    </select>`;
}
