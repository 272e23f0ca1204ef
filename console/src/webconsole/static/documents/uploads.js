// Files on their way: a few at once to the server, then the server's own jobs until each is ready or has failed.
import { ApiError, address, all, call, headersFor, me, refusal } from "../api/client.js";
import { effect, signal } from "../app/html.js";
import { askBeforeLeaving } from "../app/leaving.js";
import { say } from "../parts/notice.js";

/** `passing`: whether what refused it may have passed.
 * @typedef {{ key: number, collection: string, name: string, file: File | null, url: string, sent: number,
 *    state: "waiting" | "sending" | "working" | "ready" | "failed" | "cancelled", problem: string, passing?: boolean, job: Api.Job | null,
 *    documentId: string }} Upload */

const AT_ONCE = 3;
const POLL_MS = 1000;
const LISTS_MS = 1000;
const OPEN = new Set(["waiting", "sending", "working"]);
/** Refusals that are not of the file. */
const PASSING = new Set([408, 409, 429]);

export const uploads = signal(/** @type {Upload[]} */ ([]));
/** Goes up when documents have changed, so that lists are read anew. */
export const changes = signal(0);
const requests = /** @type {Map<number, XMLHttpRequest>} */ (new Map());
let number = 0;
let polling = false;
let pause = 0;
let pending = false;

effect(() => {
  if (!me.value) uploads.value = [];
});

// What the server has goes on without this tab; the rest is only here.
askBeforeLeaving(() => uploads.value.some(({ state }) => state === "waiting" || state === "sending"));

/** Whether something is on its way. @param {Upload} upload */
export function isOpen(upload) {
  return OPEN.has(upload.state);
}

/** Whether what failed may succeed another time. @param {Upload} upload */
export function mayHelp({ state, job, passing }) {
  return state === "failed" && Boolean(job ? job.error?.retryable : passing);
}

/** Add files. @param {string} collection @param {File[]} files */
export function addFiles(collection, files) {
  enter(files.map((file) => ({ collection, name: file.webkitRelativePath || file.name, file, url: "" })));
}

/** Add a web page. @param {string} collection @param {string} url */
export function addUrl(collection, url) {
  enter([{ collection, name: url, file: null, url }]);
}

/** @param {{ collection: string, name: string, file: File | null, url: string }[]} added */
function enter(added) {
  const fresh = { sent: 0, state: /** @type {const} */ ("waiting"), problem: "", job: null, documentId: "" };
  uploads.value = [...uploads.value, ...added.map((one) => ({ ...fresh, ...one, key: ++number }))];
  next();
}

/** @param {number} key @param {Partial<Upload>} change */
function update(key, change) {
  uploads.value = uploads.value.map((upload) => (upload.key === key ? { ...upload, ...change } : upload));
}

/** Documents have changed: lists are read now and then once in a while, however many files are sent. */
function noteChange() {
  pending = true;
  if (pause) return;
  pending = false;
  changes.value += 1;
  pause = setTimeout(() => {
    pause = 0;
    if (pending) noteChange();
  }, LISTS_MS);
}

function next() {
  const sending = uploads.value.filter((upload) => upload.state === "sending").length;
  for (const upload of uploads.value.filter(({ state }) => state === "waiting").slice(0, AT_ONCE - sending)) send(upload);
}

/** @param {Upload} upload */
async function send(upload) {
  update(upload.key, { state: "sending", problem: "", sent: 0 });
  try {
    const { document, job, unchanged } = await (upload.file ? sendFile(upload, upload.file) : sendUrl(upload));
    update(upload.key, { state: unchanged ? "ready" : "working", job, documentId: document.id });
    noteChange();
    poll();
  } catch (error) {
    const { name, message, status } = /** @type {ApiError} */ (error);
    const passing = !(status >= 400 && status < 500) || PASSING.has(status);
    update(upload.key, name === "AbortError" ? { state: "cancelled" } : { state: "failed", problem: message, passing });
  }
  next();
}

/** @param {Upload} upload */
function sendUrl({ collection, url }) {
  return call("POST", ["collections", collection, "documents"], { json: { url } });
}

/** By XMLHttpRequest, which alone tells how much has been sent. @param {Upload} upload @param {File} file @returns {Promise<Api.Accepted>} */
function sendFile({ key, collection, name }, file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("file", file, name.replaceAll("/", "_"));
    requests.set(key, request);
    request.upload.onprogress = ({ loaded, total }) => update(key, { sent: total ? loaded / total : 0 });
    request.onload = () =>
      request.status < 300 ? resolve(JSON.parse(request.responseText)) : reject(refusal(request.responseText, request.status));
    request.onerror = () =>
      reject(new ApiError({ message: "The connection was lost while the file was sent. Retry once Groundwork is back." }, 0));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.onloadend = () => requests.delete(key);
    request.open("POST", address(["collections", collection, "documents"]));
    for (const [header, value] of Object.entries(headersFor("POST"))) request.setRequestHeader(header, value);
    request.send(body);
  });
}

/** Look at all open jobs of a collection by one call, however many there are. */
async function poll() {
  if (polling) return;
  polling = true;
  for (;;) {
    const open = uploads.value.filter((upload) => upload.state === "working" && upload.job);
    if (!open.length) break;
    try {
      await Promise.all([...new Set(open.map((upload) => upload.collection))].map(readJobs));
    } catch {
      // the banner says so; the jobs go on without this page
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  polling = false;
}

/** What is under way by two lists, and what is no longer in them one by one. @param {string} collection */
async function readJobs(collection) {
  const lists = await Promise.all(["queued", "running"].map((status) => all(["jobs"], { collection, status })));
  const jobs = new Map(lists.flat().map((job) => [job.id, job]));
  const mine = uploads.value.filter((upload) => upload.collection === collection && upload.state === "working");
  for (const { job } of mine) if (job && !jobs.has(job.id)) jobs.set(job.id, await call("GET", ["jobs", job.id]));
  let ended = 0;
  uploads.value = uploads.value.map((upload) => {
    const job = upload.collection === collection && upload.state === "working" && upload.job && jobs.get(upload.job.id);
    if (!job) return upload;
    if (job.status === "queued" || job.status === "running") return { ...upload, job };
    ended += 1;
    return { ...upload, job, state: job.status, problem: job.error?.message ?? "" };
  });
  if (ended) noteChange();
}

/** Try again what failed: what the server has is done by the server. @param {Upload} upload */
export async function retry(upload) {
  if (!upload.job) {
    update(upload.key, { state: "waiting" });
    return next();
  }
  try {
    const job = await call("POST", ["jobs", upload.job.id, "retry"]);
    update(upload.key, { state: "working", problem: "", job });
    poll();
  } catch (error) {
    say(error);
  }
}

/** @param {Upload} upload */
export async function cancel(upload) {
  if (upload.state === "waiting") return update(upload.key, { state: "cancelled" });
  if (upload.state === "sending") return requests.get(upload.key)?.abort();
  if (!upload.job) return;
  try {
    await call("POST", ["jobs", upload.job.id, "cancel"]);
  } catch (error) {
    say(error);
  }
}

/** Take what has ended off the list. */
export function clearEnded() {
  uploads.value = uploads.value.filter(isOpen);
}
