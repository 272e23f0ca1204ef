// How a collection is described, searched and cut; a reindex builds it anew beside the one that serves.
import { all, call, send } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { DECIDERS } from "../parts/abstain.js";
import { readCollections } from "../parts/collections.js";
import { say } from "../parts/notice.js";
import { changes } from "./uploads.js";

const STRATEGIES = ["auto", "recursive", "markdown", "sentence", "fixed"];
const MODES = [["hybrid", "by both"], ["dense", "by meaning"], ["sparse", "by words"]];
const DEFAULT = "default";
const POLL_MS = 1000;
const OPEN = new Set(["queued", "running"]);

/** @param {{ collection: Api.Collection }} props */
export function CollectionSettings({ collection }) {
  return html`
    <section class="settings" aria-label="Settings">
      <${Description} collection=${collection} />
      <${Reindex} collection=${collection} />
      <${Import} name=${collection.name} />
    </section>
  `;
}

/** @param {{ collection: Api.Collection }} props */
function Description({ collection }) {
  const rerankers = useSignal(/** @type {string[]} */ ([]));
  const reranker = collection.rerank_model ?? DEFAULT;

  useEffect(() => {
    call("GET", ["models"])
      .then(({ data }) => (rerankers.value = data.filter((one) => one.kind === "rerank").map((one) => one.id)))
      .catch(say);
  }, [collection.name]);

  /** @param {SubmitEvent} event */
  async function save(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const wanted = { description: String(form.get("description")), mode: /** @type {Api.Collection["mode"]} */ (form.get("mode")), rerank: form.get("rerank") === "on", rerank_model: String(form.get("rerank_model")), abstain: /** @type {Api.CollectionChange["abstain"]} */ (form.get("abstain")), delete_records: form.get("delete_records") === "on" };
    const known = { ...collection, rerank_model: reranker, abstain: collection.abstain ?? DEFAULT };
    // What was left as it is may have been changed by somebody else since.
    const json = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== known[/** @type {keyof typeof wanted} */ (name)]));
    if (!Object.keys(json).length) return say("Nothing was changed.");
    try {
      await call("PATCH", ["collections", collection.name], { json });
      await readCollections();
      say("Saved.");
    } catch (error) {
      say(error);
    }
  }
  return html`
    <form onSubmit=${save}>
      <h2>Description and search</h2>
      <label>Description <input name="description" maxlength="2000" defaultValue=${collection.description} /></label>
      <label>Searches that don't say so themselves look <select name="mode">${MODES.map(([mode, words]) => html`<option value=${mode} selected=${mode === collection.mode}>${words}</option>`)}</select></label>
      <label><input type="checkbox" name="rerank" defaultChecked=${collection.rerank} /> Rerank searches that don't say so themselves</label>
      <label>Rerank model <select name="rerank_model">${[...new Set([DEFAULT, reranker, ...rerankers.value])].map((one) => html`<option value=${one} selected=${one === reranker}>${one === DEFAULT ? "the default one" : one}</option>`)}</select></label>
      <label>That there is no answer is decided by <select name="abstain">${[[DEFAULT, "default: as the key has it"], ...DECIDERS].map(([value, words]) => html`<option value=${value} selected=${value === (collection.abstain ?? DEFAULT)}>${words}</option>`)}</select></label>
      <label><input type="checkbox" name="delete_records" defaultChecked=${collection.delete_records} /> Delete records of answers with the documents that they quote</label>
      <button>Save</button>
    </form>
  `;
}

/** @param {{ collection: Api.Collection }} props */
function Reindex({ collection }) {
  const models = useSignal(/** @type {string[]} */ ([]));
  const job = useSignal(/** @type {Api.Job | null} */ (null));
  const { name, chunking } = collection;

  useEffect(() => {
    call("GET", ["models"])
      .then(({ data }) => (models.value = data.filter((one) => one.kind === "embedding").map((one) => one.id)))
      .catch(say);
    // One that is under way already, maybe begun elsewhere.
    Promise.all([...OPEN].map((status) => all(["jobs"], { collection: name, status })))
      .then((lists) => follow(lists.flat().find((one) => !one.document_id)))
      .catch(() => {});
  }, [name]);

  /** @param {Api.Job | undefined} begun */
  async function follow(begun) {
    if (!begun) return;
    job.value = begun;
    while (OPEN.has(job.value.status)) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      try {
        job.value = await call("GET", ["jobs", begun.id]);
      } catch (error) {
        if (/** @type {any} */ (error).status) return say(error); // else it is away for a moment
      }
    }
    await readCollections().catch(say);
    changes.value += 1;
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const most = Number(form.get("max_tokens"));
    const cut = { strategy: /** @type {Api.Chunking["strategy"]} */ (form.get("strategy")), max_tokens: most || null, overlap: Number(form.get("overlap")) };
    const same = cut.strategy === chunking?.strategy && cut.max_tokens === chunking?.max_tokens && cut.overlap === chunking?.overlap;
    const model = String(form.get("embedding_model"));
    const json = { ...(same ? {} : { chunking: cut }), ...(model === collection.embedding_model ? {} : { embedding_model: model }) };
    try {
      await follow((await call("POST", ["collections", name, "reindex"], { json })).job);
    } catch (error) {
      say(error);
    }
  }

  const known = models.value.includes(collection.embedding_model) ? models.value : [collection.embedding_model, ...models.value];
  const shown = job.value;
  const runs = shown && OPEN.has(shown.status);
  return html`
    <form onSubmit=${submit}>
      <h2>How it is cut and embedded</h2>
      <label>Embedding model
        <select name="embedding_model" value=${collection.embedding_model}>${known.map((one) => html`<option>${one}</option>`)}</select>
      </label>
      <label>Cut by <select name="strategy" value=${chunking?.strategy}>${STRATEGIES.map((one) => html`<option>${one}</option>`)}</select></label>
      <label>Most tokens of a chunk
        <input name="max_tokens" type="number" min="16" max="8192" defaultValue=${chunking?.max_tokens ?? ""} placeholder="as many as the model reads" /></label>
      <label>Tokens that two chunks share <input name="overlap" type="number" min="0" max="4096" required defaultValue=${chunking?.overlap ?? 0} /></label>
      <button disabled=${runs}>Reindex</button>
      <p class="hint">Searches go on with the index as it is until the new one is whole.</p>
      ${shown &&
      html`<p role="status">
        ${runs ? html`<progress max="1" value=${shown.progress}></progress> Reindexing: ${shown.stage}` : ""}
        ${runs && shown.waiting_on ? `, waits for ${shown.waiting_on}` : ""}
        ${shown.status === "ready" && "The collection is reindexed."}
        ${shown.status === "cancelled" && "The reindex was cancelled."}
        ${shown.error && html`<span class="problem">${shown.error.message}</span>`}
        ${runs && html`<button type="button" class="quiet" onClick=${() => call("POST", ["jobs", shown.id, "cancel"]).catch(say)}>Cancel</button>`}
      </p>`}
    </form>
  `;
}

/** @param {{ name: string }} props */
function Import({ name }) {
  /** @param {any} event */
  async function take(event) {
    const files = [...event.target.files];
    event.target.value = "";
    const done = askBeforeLeaving(() => true);
    try {
      for (const file of files) {
        const headers = { "Content-Type": "application/zip" };
        await send("POST", ["collections", name, "documents:restore"], { body: file, headers });
        changes.value += 1;
      }
      say(`Imported: ${files.map((file) => file.name).join(", ")}.`);
    } catch (error) {
      say(error);
    }
    done();
  }
  return html`
    <div>
      <h2>Exports of documents</h2>
      <p><label class="button">Import<input type="file" accept=".zip" multiple onChange=${take} /></label></p>
      <p class="hint">
        “Details” of a document exports it: the file, its text, how it is cut, and embeddings. All of a collection at once:${" "}
        <code>groundwork backup ${name}</code>.
      </p>
    </div>
  `;
}
