// The conversations that the server keeps for this key: searched, opened, renamed, exported, deleted.
import { addressOf, go } from "../app/router.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { clear, current, turns, withSources } from "./conversation.js";
import { counted } from "../parts/format.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { deleteThread, readThreads, renameThread, threads } from "./threads.js";

const SHOWN = 60;

/** The list. */
export function ThreadList() {
  const words = useSignal("");
  useEffect(() => {
    if (may("agents", "chat")) readThreads().catch(say);
  }, []);
  const wanted = words.value.toLowerCase();
  const found = (threads.value ?? []).filter(({ metadata }) => String(metadata.title).toLowerCase().includes(wanted));
  return html`
    <nav class="threads" aria-label="Conversations">
      <button onClick=${begin}>New conversation</button>
      <input type="search" placeholder="Search" aria-label="Search conversations"
        onInput=${(/** @type {any} */ event) => (words.value = event.target.value.trim())} />
      <ul>
        ${found.slice(0, SHOWN).map((thread) => html`<${Entry} key=${thread.id} thread=${thread} />`)}
      </ul>
      ${found.length > SHOWN && html`<p class="hint">${counted(found.length - SHOWN, "more conversation")}: search for them.</p>`}
      ${threads.value !== null && !found.length &&
      html`<p class="hint">${wanted ? "No conversation is called so." : "Conversations are kept here, for this key."}</p>`}
    </nav>
  `;
}

function begin() {
  clear();
  go("chat");
}

/** @param {{ thread: Api.Thread }} props */
function Entry({ thread }) {
  const { id, metadata } = thread;
  const isOpen = id === current.value;
  return html`
    <li>
      <a href=${addressOf("chat", id)} aria-current=${isOpen ? "page" : null}>${metadata.title}</a>
      ${isOpen && html`<${Actions} thread=${thread} />`}
    </li>
  `;
}

/** @param {{ thread: Api.Thread }} props */
function Actions({ thread }) {
  const doing = useSignal("");
  const { id, metadata } = thread;

  /** @param {SubmitEvent} event */
  async function save(event) {
    event.preventDefault();
    const title = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("title")).trim();
    doing.value = "";
    if (title) await renameThread(id, title).catch(say);
  }
  const remove = () => deleteThread(id).then(begin).catch(say);

  if (doing.value === "rename") {
    return html`
      <form onSubmit=${save}>
        <input name="title" aria-label="Title" required maxlength="200" ref=${focused} defaultValue=${metadata.title} />
        <button class="primary">Save</button>
      </form>`;
  }
  if (doing.value === "delete") {
    return html`
      <p class="actions" role="alert">Delete it?
        <button class="danger" onClick=${remove}>Delete</button>
        <button class="quiet" ref=${focused} onClick=${() => (doing.value = "")}>Keep</button>
      </p>`;
  }
  return html`
    <p class="actions">
      <button class="quiet" onClick=${() => (doing.value = "rename")}>Rename</button>
      <button class="quiet" onClick=${() => exported(String(metadata.title)).catch(say)}>Export</button>
      <button class="quiet" onClick=${() => (doing.value = "delete")}>Delete</button>
    </p>
  `;
}

/** Save what is seen as a text file, each answer with its sources. @param {string} title */
async function exported(title) {
  const parts = turns.value.map((turn) => `## ${turn.question}\n\n${withSources(turn)}\n`);
  const name = title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) || "conversation";
  (await import("../parts/download.js")).download(`${name}.md`, "text/markdown", `# ${title}\n\n${parts.join("\n")}`);
}
