// What the key may ask: its collections, agents and chat models.
import { all, call, me } from "../api/client.js";
import { effect, signal } from "../app/html.js";
import { may } from "../app/session.js";

/** @typedef {Pick<Api.Collection, "name" | "description" | "documents" | "bytes" | "embedding_model">} Collection */

/** Null until they are known. */
export const collections = signal(/** @type {Collection[] | null} */ (null));
/** Names of agents and chat models, `default` first. */
export const models = signal(/** @type {Api.ModelInfo[]} */ ([]));

// Another key has others.
effect(() => {
  if (me.value) return;
  collections.value = null;
  models.value = [];
});

/** Read the collections anew. */
export async function readCollections() {
  if (!may("documents", "search")) return readAnswerable();
  collections.value = await all(["collections"]);
}

/** A key that may only chat sees no collections, but the names that answer from them. */
async function readAnswerable() {
  await readModels();
  const names = models.value.filter((model) => model.kind === "rag").map((model) => model.id.slice("rag:".length));
  collections.value = names.map((name) => ({ name, description: "", documents: 1, bytes: 0, embedding_model: "" }));
}

/** Read what answers anew. */
export async function readModels() {
  const { data } = await call("GET", ["models"]);
  models.value = data
    .filter((model) => ["rag", "agent", "chat"].includes(model.kind))
    .sort((a, b) => Number(b.default) - Number(a.default));
}

/** Whether a model, or a route by one of its targets, answers from documents. @param {string} id */
export function answersFromDocuments(id) {
  return id.startsWith("rag:") || (models.value.find((model) => model.id === id)?.target_kinds ?? []).includes("rag");
}
