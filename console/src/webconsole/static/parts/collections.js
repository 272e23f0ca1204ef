// What the key may ask: its collections, agents and chat models.
import { all, call, me, reachable } from "../api/client.js";
import { effect, signal } from "../app/html.js";
import { may } from "../app/session.js";
import { say } from "./notice.js";

/** @typedef {Pick<Api.Collection, "name" | "description" | "documents" | "bytes" | "embedding_model">} Collection */

/** Null until they are known. */
export const collections = signal(/** @type {Collection[] | null} */ (null));
/** Why they are not known, in the place of what needs them. */
export const unknownBecause = signal("");
/** Names of agents and chat models, `default` first. */
export const models = signal(/** @type {Api.ModelInfo[]} */ ([]));

// Another key has others.
effect(() => {
  if (me.value) return;
  collections.value = null;
  unknownBecause.value = "";
  models.value = [];
});

// What could not be read while the server was away.
effect(() => {
  if (reachable.value && unknownBecause.peek()) lookForCollections();
});

/** Read the collections anew. */
export async function readCollections() {
  try {
    if (may("documents", "search")) collections.value = await all(["collections"]);
    else await readAnswerable();
    unknownBecause.value = "";
  } catch (error) {
    unknownBecause.value = /** @type {Error} */ (error).message;
    throw error;
  }
}

/** The same for a page that shows why they are not known; where they are, only a message says that this is how they were. */
export function lookForCollections() {
  return readCollections().catch((error) => void (collections.value && say(error)));
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
