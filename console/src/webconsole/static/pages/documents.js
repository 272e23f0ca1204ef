// Collections, what is in them, and how more gets in.
import { call } from "../api/client.js";
import { addressOf, addressWith, go, route } from "../app/router.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { CollectionSettings } from "../documents/settings.js";
import { collections, lookForCollections, readCollections, unknownBecause } from "../parts/collections.js";
import { DocumentDetails } from "../documents/details.js";
import { DocumentTable } from "../documents/table.js";
import { droppedFiles } from "../documents/drop.js";
import { bytes, counted } from "../parts/format.js";
import { focused } from "../parts/keys.js";
import { say } from "../parts/notice.js";
import { UploadList } from "../documents/upload-list.js";
import { addFiles, addUrl, changes } from "../documents/uploads.js";
import { Viewer } from "../parts/viewer.js";

/** Where a first visitor's files go without being asked for a name. */
const FIRST = "documents";
const NAME = "[a-z0-9][a-z0-9_\\-]{0,62}";

/** The page. */
export function Documents() {
  const viewed = useSignal(/** @type {import("../parts/viewer.js").Place | null} */ (null));
  const detailed = useSignal(/** @type {Api.Document | null} */ (null));
  const from = useRef(/** @type {Element | null} */ (null));
  const open = (/** @type {import("../parts/viewer.js").Place} */ place) => {
    if (!detailed.value) from.current = document.activeElement;
    viewed.value = place;
  };
  const show = (/** @type {Api.Document} */ row) => {
    from.current = document.activeElement;
    viewed.value = null;
    detailed.value = row;
  };
  /** @param {{ value: unknown }} shown */
  const close = (shown) => {
    shown.value = null;
    /** @type {HTMLElement | null} */ (from.current)?.focus();
  };
  useEffect(() => {
    lookForCollections();
  }, [changes.value, route.value.path[1]]);
  if (!may("documents", "search")) {
    return html`<p class="hint alone">This key may not read documents. Sign in with one that has the scope “documents”.</p>`;
  }
  if (collections.value === null && unknownBecause.value) {
    return html`<p class="problem alone" role="alert">${unknownBecause.value} <button onClick=${lookForCollections}>Try again</button></p>`;
  }
  if (collections.value === null) return html`<p class="hint alone" role="status">Looking …</p>`;
  const name = route.value.path[1] ?? collections.value[0]?.name ?? FIRST;
  const collection = collections.value.find((one) => one.name === name);
  return html`
    <div class=${`documents${viewed.value || detailed.value ? " beside" : ""}`}>
      <${CollectionList} current=${name} />
      <section class="inside" aria-label=${`Collection ${name}`}>
        <header class="title">
          <h1>${name}</h1>
          ${collection && html`<${About} collection=${collection} />`}
        </header>
        ${may("documents") && html`<${Adder} name=${name} exists=${Boolean(collection)} />`}
        ${!collection && route.value.path[1] && html`<p class="hint" role="status">There is no collection “${name}” for this key, or none any more.${
          may("documents") && " The first document that you add makes it."}</p>`}
        <${UploadList} collection=${name} />
        ${collection && html`<${DocumentTable} key=${name} collection=${name} open=${open} show=${show} />`}
      </section>
      ${viewed.value && html`<${Viewer} place=${viewed.value} close=${() => close(viewed)} />`}
      ${detailed.value && !viewed.value && html`<${DocumentDetails} row=${detailed.value} open=${open} close=${() => close(detailed)} />`}
    </div>
  `;
}

/** @param {{ current: string }} props */
function CollectionList({ current }) {
  const adding = useSignal(false);
  const known = collections.value ?? [];
  return html`
    <nav class="collections" aria-label="Collections">
      <h2>Collections</h2>
      <ul>
        ${known.map(
          ({ name, documents }) => html`
            <li>
              <a href=${addressOf("documents", name)} aria-current=${name === current ? "page" : null}>
                <span>${name}</span><span class="number">${documents}</span>
              </a>
            </li>`,
        )}
      </ul>
      ${may("documents") &&
      (adding.value
        ? html`<${NewCollection} done=${() => (adding.value = false)} />`
        : html`<button class="quiet" onClick=${() => (adding.value = true)}>New collection</button>`)}
    </nav>
  `;
}

/** @param {{ done: () => void }} props */
function NewCollection({ done }) {
  const problem = useSignal("");
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const name = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("name"));
    try {
      await call("POST", ["collections"], { json: { name } });
      await readCollections();
      go("documents", name);
      done();
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
  }
  return html`
    <form onSubmit=${submit}>
      <label for="collection-name">Name</label>
      <input id="collection-name" name="name" required pattern=${NAME} ref=${focused} autocomplete="off"
        title="Small letters, digits, - and _; it begins with a letter or a digit" />
      <button class="primary">Create</button> <button type="button" class="quiet" onClick=${done}>Cancel</button>
      ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
    </form>
  `;
}

/** @param {{ collection: import("../parts/collections.js").Collection }} props */
function About({ collection }) {
  const sure = useSignal(false);
  const settings = useSignal(false);
  async function remove() {
    try {
      await call("DELETE", ["collections", collection.name]);
      await readCollections();
      go("documents");
      say(`“${collection.name}” is deleted.`);
    } catch (error) {
      say(error);
    }
  }
  return html`
    <p class="hint">
      ${counted(collection.documents, "document")}, ${bytes(collection.bytes)}
      ${collection.documents > 0 && html`${" "}<a class="button" href=${`${addressOf("chat")}?collection=${collection.name}`}>Ask about them</a>`}
      ${collection.documents > 0 && may("evaluations:write") && html`${" "}<a class="button" href=${addressWith(["evaluations", "start"], { model: `rag:${collection.name}`, set: collection.name })}>Evaluate</a>`}
      ${may("documents") &&
      html`<button class="quiet" aria-expanded=${settings.value} onClick=${() => (settings.value = !settings.value)}>Settings</button>`}
      ${may("documents") &&
      (sure.value
        ? html`<span role="alert">Delete it with everything in it?
            <button class="danger" onClick=${remove}>Delete</button>
            <button class="quiet" ref=${focused} onClick=${() => (sure.value = false)}>Keep</button></span>`
        : html`<button class="quiet" onClick=${() => (sure.value = true)}>Delete collection</button>`)}
    </p>
    ${settings.value && html`<${CollectionSettings} key=${collection.name} collection=${collection} />`}
  `;
}

/** Somebody else may have made it meanwhile. @param {Error & { code?: string }} error */
function unlessThere(error) {
  if (error.code !== "collection_exists") throw error;
}

/** Takes files, folders and addresses. @param {{ name: string, exists: boolean }} props */
function Adder({ name, exists }) {
  const over = useSignal(false);

  /** The collection is made with its first document. @param {() => void} add */
  async function into(add) {
    try {
      if (!exists) {
        await call("POST", ["collections"], { json: { name } }).catch(unlessThere);
        await readCollections();
      }
      add();
    } catch (error) {
      say(error);
    }
  }
  /** @param {File[]} files */
  const take = (files) => files.length && into(() => addFiles(name, files));
  const picked = (/** @type {any} */ event) => {
    take([...event.target.files]);
    event.target.value = "";
  };
  /** @param {DragEvent} event */
  const drop = async (event) => {
    event.preventDefault();
    over.value = false;
    if (event.dataTransfer) take(await droppedFiles(event.dataTransfer));
  };
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const url = String(new FormData(form).get("url")).trim();
    into(() => addUrl(name, url));
    form.reset();
  };
  return html`
    <div
      class=${`adder${over.value ? " over" : ""}`}
      onDragOver=${(/** @type {DragEvent} */ event) => (event.preventDefault(), (over.value = true))}
      onDragLeave=${() => (over.value = false)}
      onDrop=${drop}
    >
      <p>Drop files or folders here, or choose
        <label class="button primary">Files<input type="file" multiple onChange=${picked} /></label>
        <label class="button">A folder<input type="file" webkitdirectory onChange=${picked} /></label>
      </p>
      <form onSubmit=${submit}>
        <input name="url" type="url" required placeholder="https://… a page to fetch" aria-label="Address of a page to fetch" />
        <button>Fetch</button>
      </form>
      <p class="hint">PDF, Office, HTML, Markdown, text, CSV, JSON, EPUB, e-mail, source code, ZIP.</p>
    </div>
  `;
}
