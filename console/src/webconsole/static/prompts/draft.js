// What is typed in the editor, and the prompt that it makes.
import { placesOf, valueOf } from "./template.js";

/** @typedef {{ name: string, type: Api.PromptVariable["type"], required: boolean, preset: string, description: string }} Row */
/** @typedef {{ name: string, description: string, model: string, messages: Api.PromptMessage[], variables: Row[], examples: Api.PromptExample[],
 *    nearest: string, parameters: Record<string, string>, schema: string, tools: string, label: string }} Draft */

/** Parameters that are numbers, with their steps. `stop` and `reasoning_effort` are texts. */
export const NUMBERS = /** @type {[string, string][]} */ ([
  ["temperature", "any"], ["top_p", "any"], ["max_tokens", "1"], ["seed", "1"], ["presence_penalty", "any"], ["frequency_penalty", "any"],
]);

/** A draft of a new prompt, or of the next version of one. @param {Api.Prompt | null} prompt @returns {Draft} */
export function draftOf(prompt) {
  const { stop, ...parameters } = prompt?.parameters ?? { stop: null };
  const given = Object.entries(parameters).filter(([, value]) => value !== null);
  const json = (/** @type {unknown} */ value) => (value ? JSON.stringify(value, null, 2) : "");
  return {
    name: prompt?.name ?? "",
    description: prompt?.description ?? "",
    model: prompt?.model ?? "default",
    messages: prompt?.messages ?? [{ role: "system", content: "" }],
    variables: Object.entries(/** @type {import("./template.js").Variables} */ (prompt?.variables ?? {})).map(([name, { type, default: preset, description }]) => ({
      name, type, required: preset === null, preset: String(preset ?? ""), description,
    })),
    examples: prompt?.examples ?? [],
    nearest: String(prompt?.nearest ?? ""),
    parameters: { ...Object.fromEntries(given.map(([name, value]) => [name, String(value)])), stop: (stop ?? []).join("\n") },
    schema: json(prompt?.output_schema),
    tools: json(prompt?.tools.length ? prompt.tools : null),
    label: "",
  };
}

/** Places of its messages that no variable is declared for. @param {Draft} draft */
export function undeclared({ messages, variables }) {
  return placesOf(messages.map(({ content }) => content)).filter((place) => !variables.some(({ name }) => name === place));
}

/** The variables as they are declared. Throws what a default can't be. @param {Draft} draft @returns {import("./template.js").Variables} */
export function variablesOf({ variables }) {
  return Object.fromEntries(variables.map(({ name, type, required, preset, description }) => {
    const value = required ? null : valueOf(name, type, preset);
    return [name, { type, default: value, description }];
  }));
}

/** The body that saves it. Throws what can't be read. @param {Draft} draft @returns {Api.PromptCreate} */
export function bodyOf(draft) {
  const { stop, reasoning_effort: effort, ...numbers } = draft.parameters;
  const set = Object.entries(numbers).filter(([, value]) => value !== "");
  const names = draft.variables.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice) throw new Error(`The variable “${twice}” is declared twice.`);
  return {
    name: draft.name,
    description: draft.description,
    model: draft.model,
    messages: draft.messages,
    variables: variablesOf(draft),
    examples: draft.examples,
    nearest: draft.nearest === "" ? null : Number(draft.nearest),
    parameters: {
      ...Object.fromEntries(set.map(([name, value]) => [name, Number(value)])),
      ...(stop && { stop: stop.split("\n").filter(Boolean) }),
      ...(effort && { reasoning_effort: effort }),
    },
    output_schema: read("output schema", draft.schema),
    tools: read("tools", draft.tools) ?? [],
    ...(draft.label && { label: draft.label }),
  };
}

/** @param {string} name @param {string} text */
function read(name, text) {
  if (!text.trim()) return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The ${name} can't be read as JSON: ${/** @type {Error} */ (error).message}.`);
  }
}
