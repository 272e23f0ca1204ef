// Streamed answers: OpenAI's chunks as server-sent events.
import { ApiError, call, send } from "./client.js";

/** The events of a stream. @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    held += value ?? "";
    const whole = held.split(/\r?\n\r?\n/);
    held = done ? "" : /** @type {string} */ (whole.pop());
    for (const block of whole) if (block.trim()) yield event(block);
    if (done) return;
  }
}

/** @param {string} block */
function event(block) {
  const fields = { event: "message", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const at = line.indexOf(":");
    const name = line.slice(0, at);
    const value = line.slice(at + 1).replace(/^ /, "");
    if (name === "event") fields.event = value;
    if (name === "data") fields.data += (fields.data && "\n") + value;
  }
  return fields;
}

/** The chunks of an answer as they come; throws `ApiError` for an error in the middle.
 * @param {object} body @param {Record<string, string>} headers @param {AbortSignal} stop @param {(headers: Headers) => void} begun
 * @returns {AsyncGenerator<Partial<Api.ChatCompletionChunk>>} */
export async function* chunks(body, headers, stop, begun) {
  const answer = await send("POST", ["chat", "completions"], { json: { ...body, stream: true }, headers, signal: stop });
  begun(answer.headers);
  let ended = false;
  try {
    for await (const { event: kind, data } of events(/** @type {any} */ (answer.body))) {
      if (kind === "error") throw new ApiError(JSON.parse(data).error, 200);
      if (data === "[DONE]") ended = true;
      else if (data) yield JSON.parse(data);
    }
  } catch (error) {
    if (stop.aborted || error instanceof ApiError) throw error; // else the browser's own words for a broken connection
  }
  if (ended) return;
  call("GET", ["me"]).catch(() => {}); // notices whether the server is away
  throw new ApiError({ code: "cut_off", message: "The connection broke before the answer was whole. Ask again." }, 0);
}
