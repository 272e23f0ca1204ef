// One query, searched in several ways beside each other: which passages each finds, with what scores, in what time.
import { address } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressOf, addressWith, route } from "../app/router.js";
import { may } from "../app/session.js";
import { collections, lookForCollections, unknownBecause } from "../parts/collections.js";
import { useSlash } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { Viewer } from "../parts/viewer.js";
import { Column } from "../search/column.js";
import { Conditions } from "../search/conditions.js";
import { emphasised } from "../search/emphasis.js";
import { QuestionSet } from "../search/questions.js";
import { WAYS, asCurl, bodyOf, identity, search } from "../search/ways.js";

const LIMITS = [5, 10, 20, 50];
const FIELDS = ["title", "source", "media_type", "page", "document_id"];

/** @typedef {import("../search/ways.js").Query} Query */
/** @typedef {import("../search/ways.js").Outcome} Outcome */
/** @typedef {import("../search/ways.js").Hit} Hit */

/** The page. The address holds the whole question, so that it can be passed on. */
export function SearchLab() {
  useEffect(() => void lookForCollections(), []);
  if (!may("search")) {
    return html`<p class="hint alone">This key may not search. Sign in with one that has the scope “search”.</p>`;
  }
  if (collections.value === null && unknownBecause.value) {
    return html`<p class="problem alone" role="alert">${unknownBecause.value} <button onClick=${lookForCollections}>Try again</button></p>`;
  }
  if (collections.value === null) return html`<p class="hint alone" role="status">Looking …</p>`;
  if (!collections.value.length) {
    return html`<div class="alone"><h1>There is nothing to search yet</h1>
      <p><a class="button primary" href=${addressOf("documents")}>Add documents</a></p></div>`;
  }
  const name = route.value.path[1] ?? collections.value[0].name;
  if (!collections.value.some((collection) => collection.name === name)) {
    return html`<div class="alone"><h1>There is no collection “${name}”</h1>
      <p><a class="button" href=${addressOf("search")}>Search another one</a></p></div>`;
  }
  return html`<${Lab} collection=${name} />`;
}

/** @param {URLSearchParams} given @returns {Query & { ways: string[] }} */
function readQuery(given) {
  let conditions = [];
  try {
    conditions = JSON.parse(given.get("where") ?? "[]");
  } catch {
    // somebody typed it
  }
  const ways = given.get("ways")?.split(",") ?? WAYS.map((way) => way.name);
  const limit = Number(given.get("limit"));
  return {
    query: given.get("q") ?? "",
    limit: LIMITS.includes(limit) ? limit : LIMITS[1],
    byDocument: given.get("by") === "document",
    conditions: Array.isArray(conditions) ? conditions : [],
    ways: WAYS.map((way) => way.name).filter((way) => ways.includes(way)),
  };
}

/** @param {{ collection: string }} props */
function Lab({ collection }) {
  const outcomes = useSignal(/** @type {Record<string, Outcome>} */ ({}));
  const viewed = useSignal(/** @type {Hit | null} */ (null));
  const pointed = useSignal("");
  const again = useSignal(0);
  const from = useRef(/** @type {Element | null} */ (null));
  const asked = readQuery(route.value.query);
  const identityOfQuery = JSON.stringify([collection, asked]);

  // A passage that is open answers the query that it was found by, and no other.
  useEffect(() => {
    viewed.value = null;
  }, [identityOfQuery]);
  useEffect(() => {
    const stop = new AbortController();
    outcomes.value = {};
    if (!asked.query) return;
    for (const { name, options } of WAYS.filter((way) => asked.ways.includes(way.name))) {
      const show = (/** @type {Outcome} */ outcome) => (outcomes.value = { ...outcomes.value, [name]: outcome });
      show({ state: "searching", hits: [], reply: null, problem: "" });
      search(collection, bodyOf(asked, options), stop.signal).then((outcome) => !stop.signal.aborted && show(outcome));
    }
    return () => stop.abort();
  }, [identityOfQuery, again.value]);

  const open = (/** @type {Hit} */ hit) => {
    from.current = document.activeElement;
    viewed.value = hit;
  };
  const close = () => {
    viewed.value = null;
    /** @type {HTMLElement | null} */ (from.current)?.focus();
  };
  const done = Object.values(outcomes.value).flatMap((outcome) => outcome.hits);
  const keys = [...new Set([...FIELDS, ...done.flatMap((hit) => Object.keys(hit.metadata).map((key) => `metadata.${key}`))])];
  return html`
    <div class=${`lab${viewed.value ? " beside" : ""}`}>
      <section class="inside" aria-label="Search lab">
        <${Form} collection=${collection} asked=${asked} keys=${keys} rerun=${() => (again.value += 1)} />
        ${asked.query
          ? html`<${QuestionSet} collection=${collection} query=${asked.query} hit=${viewed.value} />
              <${Columns} collection=${collection} asked=${asked} outcomes=${outcomes} pointed=${pointed} viewed=${viewed} open=${open} />`
          : html`<p class="hint">One query, searched in every way at once: which passages each way finds, in what order,
              with what scores and in what time. A passage that you point at is marked in all columns; a click opens it in its document.</p>`}
      </section>
      ${viewed.value && html`<${Viewer} place=${viewed.value} close=${close} />`}
    </div>
  `;
}

/** @param {{ collection: string, asked: Query & { ways: string[] }, outcomes: { value: Record<string, Outcome> }, pointed: { value: string },
 *    viewed: { value: Hit | null }, open: (hit: Hit) => void }} props */
function Columns({ collection, asked, outcomes, pointed, viewed, open }) {
  const shown = WAYS.filter((way) => outcomes.value[way.name]);
  const ranks = shown.map(({ name, title }) => {
    const hits = outcomes.value[name].hits;
    const beyond = hits.length < asked.limit ? "none" : `> ${asked.limit}`;
    return { name, title, beyond, ranks: new Map(hits.map((hit, at) => [identity(hit, asked.byDocument), at + 1])) };
  });
  const words = emphasised(asked.query);
  /** @param {import("../search/ways.js").Way} way */
  async function copy(way) {
    try {
      const href = address(["collections", collection, "search"]).href;
      await navigator.clipboard.writeText(asCurl(href, bodyOf(asked, way.options)));
      say("Copied. Set GROUNDWORK_API_KEY to your key before you run it.");
    } catch {
      say(new Error("The browser did not let the page copy."));
    }
  }
  return html`
    <div class="ways" onKeyDown=${move}>
      ${shown.map(
        (way) => html`
          <${Column} key=${way.name} way=${way} outcome=${outcomes.value[way.name]} words=${words} byDocument=${asked.byDocument}
            others=${ranks.filter((other) => other.name !== way.name && outcomes.value[other.name].state === "done")}
            pointed=${pointed} opened=${viewed.value} open=${open} copy=${() => copy(way)} />`,
      )}
    </div>`;
}

const STEPS = /** @type {Record<string, [number, number]>} */ ({
  ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0],
});

/** Arrows go from hit to hit. @param {KeyboardEvent} event */
function move(event) {
  const step = STEPS[event.key];
  const hit = /** @type {Element} */ (event.target).closest?.(".hit");
  if (!step || !hit) return;
  event.preventDefault();
  const ways = [.../** @type {Element} */ (event.currentTarget).querySelectorAll(".way")].map((way) => [...way.querySelectorAll(".hit")]);
  const column = ways.findIndex((hits) => hits.includes(hit));
  const hits = ways[column + step[0]] ?? ways[column];
  const row = Math.min(ways[column].indexOf(hit) + step[1], hits.length - 1);
  /** @type {HTMLElement | undefined} */ (hits[row])?.focus();
}

/** @param {{ collection: string, asked: Query & { ways: string[] }, keys: string[], rerun: () => void }} props */
function Form({ collection, asked, keys, rerun }) {
  const box = useRef(/** @type {HTMLInputElement | null} */ (null));
  const ways = useSignal(asked.ways);
  const conditions = useSignal(asked.conditions);
  useSlash(box);
  useEffect(() => {
    // somebody went back, or followed a link
    if (box.current) box.current.value = asked.query;
    ways.value = asked.ways;
    conditions.value = asked.conditions;
  }, [JSON.stringify(asked)]);

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const where = conditions.value.map((one) => ({ ...one, key: one.key.trim(), value: one.value.trim() }));
    const query = {
      q: String(form.get("query")).trim(),
      limit: Number(form.get("limit")) === LIMITS[1] ? "" : String(form.get("limit")),
      by: form.get("by") ? "document" : "",
      ways: ways.value.length === WAYS.length ? "" : ways.value.join(","),
      where: where.length ? JSON.stringify(where) : "",
    };
    const there = addressWith(["search", String(form.get("collection"))], query);
    if (location.hash === there) rerun();
    else location.hash = there;
  }
  /** @param {string} name */
  function toggle(name) {
    const others = ways.value.filter((way) => way !== name);
    if (others.length) ways.value = ways.value.includes(name) ? others : [...others, name];
    else ways.value = [name];
  }
  return html`
    <form class="lab-form" role="search" onSubmit=${submit}>
      <h1>Search lab</h1>
      <p class="words">
        <select name="collection" aria-label="Collection" defaultValue=${collection}>
          ${(collections.value ?? []).map(({ name }) => html`<option selected=${name === collection}>${name}</option>`)}
        </select>
        <input ref=${box} name="query" type="search" required maxlength="32768" autofocus autocomplete="off" aria-label="Query"
          placeholder="What to look for   (press / to get here)" defaultValue=${asked.query} />
        <button class="primary">Search</button>
      </p>
      <p class="choices">
        ${WAYS.map(
          ({ name, title }) => html`
            <button type="button" class="chip" aria-pressed=${ways.value.includes(name)} onClick=${() => toggle(name)}>${title}</button>`,
        )}
        <label>Hits <select name="limit">${LIMITS.map((limit) => html`<option selected=${limit === asked.limit}>${limit}</option>`)}</select></label>
        <label><input type="checkbox" name="by" defaultChecked=${asked.byDocument} /> one a document</label>
        <button type="button" class="quiet" onClick=${() => (conditions.value = [...conditions.value, { key: "", test: "is", value: "" }])}>
          Add a condition</button>
      </p>
      <${Conditions} conditions=${conditions.value} keys=${keys} change=${(/** @type {Query["conditions"]} */ changed) => (conditions.value = changed)} />
    </form>
  `;
}
