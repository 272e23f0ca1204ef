// A prompt's template: which places it has for variables, what it is with them filled, and what it is as lines.

/** `{{` that is meant as it is, a variable's place, or a `{{` that begins neither: as the server reads it. */
const PLACE = /\\\{\{|\{\{(?:[ \t]*([A-Za-z_]\w{0,62})[ \t]*\}\})?/g;

/** @typedef {Record<string, Api.PromptVariable>} Variables */

/** The variables that texts have places for, in order. @param {string[]} texts @returns {string[]} */
export function placesOf(texts) {
  const names = texts.flatMap((text) => [...text.matchAll(PLACE)].map((found) => found[1]));
  return [...new Set(names.filter(Boolean))];
}

/** A text with its variables; a place without a value stays. @param {string} text @param {Record<string, unknown>} values */
export function fill(text, values) {
  return text.replace(PLACE, (found, name) => (name === undefined ? "{{" : name in values ? String(values[name]) : found));
}

/** What was typed for the variables, by their types; what is left empty is left out. Throws what is no number.
 * @param {Variables} variables @param {Record<string, string>} typed */
export function valuesOf(variables, typed) {
  const given = Object.entries(variables).filter(([name]) => (typed[name] ?? "") !== "");
  return Object.fromEntries(given.map(([name, variable]) => [name, valueOf(name, variable.type, typed[name])]));
}

/** A text as a value of a type. @param {string} name @param {string} type @param {string} text @returns {string | number | boolean} */
export function valueOf(name, type, text) {
  if (type === "boolean") return text === "true";
  if (type === "string") return text;
  const number = Number(text);
  const fits = text.trim() !== "" && Number.isFinite(number) && (type === "number" || Number.isInteger(number));
  if (!fits) throw new Error(`“${name}” is ${type === "integer" ? "a whole number" : "a number"}: “${text}” is none.`);
  return number;
}

/** A version as lines, so that two of them can be compared. @param {Api.Prompt} prompt @returns {string[]} */
export function linesOf(prompt) {
  const { description, model, messages, variables, examples, nearest, parameters, output_schema: schema, tools } = prompt;
  const json = (/** @type {string} */ name, /** @type {unknown} */ value) => [`${name}:`, ...JSON.stringify(value, null, 2).split("\n").map((line) => `  ${line}`)];
  const set = Object.entries(parameters).filter(([, value]) => value !== null);
  const declared = Object.entries(/** @type {Variables} */ (variables));
  return [
    ...(description ? [`description: ${description}`] : []),
    `model: ${model}`,
    ...set.map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    ...(declared.length ? ["variables:", ...declared.map(([name, variable]) => `  ${name}: ${variableLine(variable)}`)] : []),
    ...messages.flatMap(({ role, content }) => ["", `## ${role}`, ...content.split("\n")]),
    ...(examples.length ? ["", nearest ? `examples, the ${nearest} nearest:` : "examples:"] : []),
    ...examples.flatMap(({ input, output }) => [...`  > ${input}`.split("\n"), ...`  < ${output}`.split("\n")]),
    ...(schema ? ["", ...json("output schema", schema)] : []),
    ...(tools.length ? ["", ...json("tools", tools)] : []),
  ];
}

/** @param {Api.PromptVariable} variable */
export function variableLine({ type, default: value, description }) {
  return `${type}, ${value === null ? "required" : `default ${JSON.stringify(value)}`}${description && ` (${description})`}`;
}
