// An agent's definition as lines, so that two of them can be compared.

/** @param {Api.Agent} agent */
export function linesOf({ model, temperature, instructions, tools, approval, limits, memory, output_schema: schema }) {
  const block = (/** @type {string} */ name, /** @type {string[]} */ lines) => [`${name}:`, ...lines.map((line) => `  ${line}`)];
  return [
    `model: ${model}`,
    ...(temperature === null ? [] : [`temperature: ${temperature}`]),
    ...(typeof instructions === "string"
      ? block("instructions", instructions.split("\n"))
      : block(`instructions of the prompt ${instructions.prompt}`, Object.entries(instructions.variables).map(([name, value]) => `${name}: ${JSON.stringify(value)}`))),
    ...block("tools", tools.map(toolLine)),
    ...block("asks before", [...approval.tools, ...(approval.unknown_outcomes ? ["calls of unknown outcome"] : [])]),
    ...block("limits", Object.entries(limits).map(([name, limit]) => `${name}: ${limit ?? "none"}`)),
    `memory: ${memory.max_tokens} tokens`,
    ...(schema === null ? [] : block("output schema", JSON.stringify(schema, null, 2).split("\n"))),
  ];
}

/** @param {Api.Agent["tools"][number]} tool */
export function toolLine({ type, ...options }) {
  const given = Object.entries(options).filter(([, value]) => value !== null && value !== false);
  return given.length ? `${type} (${given.map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : value}`).join("; ")})` : type;
}
