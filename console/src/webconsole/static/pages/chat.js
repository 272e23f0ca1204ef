// Ask, read the answer with its sources, look at a source.
import { addressOf, rename, route } from "../app/router.js";
import { html, signal, useCallback, useEffect, useLayoutEffect, useRef, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { Answer } from "../parts/answer.js";
import { collections, lookForCollections, models, readModels, unknownBecause } from "../parts/collections.js";
import { ask, clear, current, isAsking, open as openThread, stop, turns, withSources } from "../chat/conversation.js";
import { counted } from "../parts/format.js";
import { useSlash } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { Sources } from "../parts/sources.js";
import { Thumbs } from "../feedback/thumbs.js";
import { ThreadList } from "../chat/thread-list.js";
import { Viewer } from "../parts/viewer.js";

const DOCUMENTS = "documents";
const CHOSEN_AS = "groundwork.chosen";
const MOST_COLLECTIONS = 16;
/** Questions that are drawn at first: a thousand would make the page slow. */
const LAST = 40;

/** @typedef {import("../parts/sources.js").Cited} Cited */
/** @typedef {import("../chat/conversation.js").Turn} Turn */

const GONE = /** @type {Record<string, string>} */ ({
  thread_not_found: "There is no such conversation (any more), or it is another key's. Begin a new one, or choose one from the list.",
});

/** The first answer does not wait for it. */
const receipt = signal(/** @type {typeof import("../parts/receipt.js").TurnReceipt | null} */ (null));
const LOST = "The page was closed before the answer was whole, or another tab still waits for it. Ask again.";
const GROUPS = { agents: "Agents", routes: "Routes to documents and agents", alone: "Models alone, without documents" };

/** Where a model is in the list of what to ask. @param {Api.ModelInfo} model @returns {keyof typeof GROUPS} */
function groupOf({ kind, target_kinds }) {
  if (kind === "agent") return "agents";
  return target_kinds?.some((one) => one === "rag" || one === "agent") ? "routes" : "alone";
}

/** The page. */
export function Chat() {
  const target = useSignal(DOCUMENTS);
  const chosen = useSignal(readChosen());
  const viewed = useSignal(/** @type {Cited | null} */ (null));
  const listing = useSignal(false);
  const missing = useSignal("");
  const from = useRef(/** @type {Element | null} */ (null));

  useEffect(() => {
    lookForCollections();
    readModels().catch(say);
    import("../parts/receipt.js").then((part) => void (receipt.value = part.TurnReceipt), say);
  }, []);

  const id = route.value.path[1];
  useEffect(() => {
    listing.value = false;
    missing.value = "";
    if (id === current.value || (!id && !current.value)) return;
    if (!id) return rename("chat", /** @type {string} */ (current.value));
    viewed.value = null;
    openThread(id).catch((error) => {
      clear();
      missing.value = GONE[error.code] ?? error.message;
    });
  }, [id]);
  useEffect(() => {
    if (current.value && current.value !== route.value.path[1]) rename("chat", current.value);
  }, [current.value]);

  const names = (collections.value ?? []).map((collection) => collection.name);
  const asked = names.filter((name) => chosen.value.includes(name));
  const used = asked.length ? asked : names.slice(0, 1);
  const model = target.value === DOCUMENTS ? used.length ? `rag:${used.join(",")}` : "" : target.value;

  const open = useCallback((/** @type {Cited} */ citation) => {
    from.current = document.activeElement;
    viewed.value = citation;
  }, []);
  const close = () => {
    viewed.value = null;
    /** @type {HTMLElement | null} */ (from.current)?.focus();
  };

  return html`
    <div class=${`chat${viewed.value ? " beside" : ""}${listing.value ? " listing" : ""}`}>
      <${ThreadList} />
      <section class="conversation" aria-label="Conversation">
        <button class="quiet lister" aria-expanded=${listing.value} onClick=${() => (listing.value = !listing.value)}>Conversations</button>
        ${missing.value && html`<p class="problem" role="alert">${missing.value}</p>`}
        <${Turns} model=${model} open=${open} viewed=${viewed} />
        <${Composer} model=${model} target=${target} chosen=${chosen} used=${used} names=${names} />
      </section>
      ${viewed.value && html`<${Viewer} place=${viewed.value} close=${close} />`}
    </div>
  `;
}

/** @returns {string[]} */
function readChosen() {
  const named = route.peek().query.get("collection");
  return named ? [named] : JSON.parse(sessionStorage.getItem(CHOSEN_AS) ?? "[]");
}

/** @param {{ model: string, open: (cited: Cited) => void, viewed: { value: Cited | null } }} props */
function Turns({ model, open, viewed }) {
  const end = useRef(/** @type {HTMLElement | null} */ (null));
  const earlier = useSignal(0);
  const known = useRef({ model, drawn: new WeakMap() });
  if (known.current.model !== model) known.current = { model, drawn: new WeakMap() };
  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [turns.value.length, turns.value.at(-1)?.state]);
  if (!turns.value.length) return html`<div class="turns"><${Welcome} /></div>`;

  const first = Math.max(0, turns.value.length - LAST - earlier.value);

  /** The same template for the same turn: one that has not changed is not looked at while another one is answered.
   * @param {Turn} turn @param {number} number */
  function drawn(turn, number) {
    const { drawn: before } = known.current;
    if (!before.has(turn)) {
      before.set(turn, html`<${OneTurn} key=${number} turn=${turn} number=${number} model=${model} open=${open} viewed=${viewed} />`);
    }
    return before.get(turn);
  }
  return html`
    <div class="turns" role="log" aria-label="Questions and answers">
      ${first > 0 &&
      html`<button class="quiet" onClick=${() => (earlier.value += LAST)}>${counted(first, "earlier question")}: show more</button>`}
      ${turns.value.slice(first).map((turn, number) => drawn(turn, first + number))}
      <div ref=${end}></div>
    </div>
  `;
}

/** What a first visitor does next. */
function Welcome() {
  if (collections.value === null) return !unknownBecause.value && html`<p class="hint" role="status">Looking …</p>`;
  const isEmpty = collections.value.every((collection) => !collection.documents);
  if (!isEmpty) {
    return html`
      <div class="welcome">
        <h1>What would you like to know?</h1>
        <p class="hint">Every answer names its sources; a number opens the passage. Where the documents don't say, you are told.</p>
      </div>`;
  }
  return html`
    <div class="welcome">
      <h1>There are no documents yet</h1>
      ${may("documents")
        ? html`<ol><li>Add documents: files, folders or web pages.</li><li>Ask. Answers name the passages that they come from.</li></ol>
            <a class="button primary" href=${addressOf("documents")}>Add documents</a>`
        : html`<p>This key may not add any. Ask whoever gave it to you, or sign in with another one.</p>`}
    </div>`;
}

/** @param {{ turn: Turn, number: number, model: string, open: (cited: Cited) => void, viewed: { value: Cited | null } }} props */
function OneTurn({ turn, number, model, open, viewed }) {
  const editing = useSignal(false);
  const { state, report } = turn;
  const again = (/** @type {string} */ question) => {
    editing.value = false;
    ask(model || turn.model, question, number);
  };
  return html`
    <article class="turn">
      ${editing.value
        ? html`<${Edit} question=${turn.question} save=${again} cancel=${() => (editing.value = false)} />`
        : html`<h2 class="question">${turn.question}</h2>`}
      <div aria-live=${state === "asking" ? "off" : "polite"} aria-busy=${state === "asking"}>
        ${report?.abstained && html`<p class="verdict">The documents don't say.</p>`}
        <${Answer} text=${turn.text} citations=${turn.citations} open=${open} opened=${viewed.value} />
        ${state === "asking" && !turn.text && html`<p class="hint working" role="status">Reading the sources …</p>`}
        ${state === "stopped" && html`<p class="hint">Stopped.</p>`}
        ${state === "lost" && html`<p class="hint">${LOST}</p>`}
        ${turn.problem && html`<p class="problem" role="alert">${turn.problem}</p>`}
        ${turn.refused && html`<p class="hint">Not kept by the server: this key's guardrails refuse it. Later questions are asked without it.</p>`}
      </div>
      ${state !== "asking" &&
      html`
        <${Passages} turn=${turn} open=${open} />
        <footer class="actions">
          <button class="quiet" onClick=${() => again(turn.question)}>Ask again</button>
          <button class="quiet" onClick=${() => (editing.value = true)}>Edit</button>
          ${turn.text && html`<button class="quiet" onClick=${() => copy(turn)}>Copy with sources</button>`}
          ${turn.id && html`<${Thumbs} answer=${turn} />`}
        </footer>
        ${receipt.value && html`<${receipt.value} turn=${turn} />`}
      `}
    </article>
  `;
}

/** @param {Turn} turn */
async function copy(turn) {
  try {
    await navigator.clipboard.writeText(withSources(turn));
    say("Copied, with its sources.");
  } catch {
    say(new Error("The browser did not let the page copy. Select the text and copy it yourself."));
  }
}

/** @param {{ question: string, save: (question: string) => void, cancel: () => void }} props */
function Edit({ question, save, cancel }) {
  const box = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  useLayoutEffect(() => box.current?.focus(), []);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (box.current?.value.trim()) save(box.current.value.trim());
  };
  return html`
    <form class="edit" onSubmit=${submit}>
      <textarea ref=${box} aria-label="Edited question" rows="2" defaultValue=${question}></textarea>
      <button class="primary">Ask</button> <button type="button" class="quiet" onClick=${cancel}>Cancel</button>
    </form>`;
}

/** The cited passages; of an abstention, what came closest. @param {{ turn: Turn, open: (cited: Cited) => void }} props */
function Passages({ turn: { citations, report }, open }) {
  if (!report?.abstained) return html`<${Sources} title="Sources" listed=${citations} open=${open} />`;
  return html`<${Sources} title="Closest, though none answers" label="Closest passages" listed=${(report.sources ?? []).slice(0, 5)} open=${open} />`;
}

/** @param {{ model: string, target: { value: string }, chosen: { value: string[] }, used: string[], names: string[] }} props */
function Composer({ model, target, chosen, used, names }) {
  const box = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const asking = isAsking();

  // What is typed after the click that led here is a question.
  useLayoutEffect(() => {
    if (document.activeElement === document.body) box.current?.focus();
  }, []);
  useSlash(box);

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const question = box.current?.value.trim();
    if (!question || !model || asking) return;
    /** @type {HTMLTextAreaElement} */ (box.current).value = "";
    ask(model, question);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.key === "Escape") stop();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  }

  /** @param {string} name */
  function toggle(name) {
    const others = used.filter((other) => other !== name);
    chosen.value = used.includes(name) ? others : [...others, name].slice(-MOST_COLLECTIONS);
    sessionStorage.setItem(CHOSEN_AS, JSON.stringify(chosen.value));
  }

  const others = models.value.filter((other) => other.kind !== "rag");
  return html`
    <form class="composer" onSubmit=${submit}>
      <div class="targets">
        <select aria-label="What to ask" value=${target.value} onChange=${(/** @type {any} */ event) => (target.value = event.target.value)}>
          <option value=${DOCUMENTS}>Documents</option>
          ${Object.entries(GROUPS).map(([group, title]) => {
            const some = others.filter((other) => groupOf(other) === group);
            return some.length > 0 && html`
              <optgroup label=${title}>
                ${some.map(({ id }) => html`<option value=${id}>${id.replace(/^agent:/, "")}</option>`)}
              </optgroup>`;
          })}
        </select>
        ${target.value === DOCUMENTS &&
        names.map(
          (name) => html`
            <button type="button" class="chip" aria-pressed=${used.includes(name)} onClick=${() => toggle(name)}>${name}</button>`,
        )}
      </div>
      ${target.value === DOCUMENTS && collections.value === null && unknownBecause.value && html`
        <p class="problem" role="alert">${unknownBecause.value} <button type="button" onClick=${lookForCollections}>Try again</button></p>`}
      <div class="ask">
        <textarea ref=${box} rows="2" aria-label="Question" onKeyDown=${onKey}
          placeholder=${collections.value === null || names.length || target.value !== DOCUMENTS ? "Ask …   (press / to get here)" : "Add documents first"}></textarea>
        ${asking
          ? html`<button type="button" class="primary" onClick=${stop}>Stop</button>`
          : html`<button class="primary" disabled=${!model}>Ask</button>`}
      </div>
    </form>
  `;
}
