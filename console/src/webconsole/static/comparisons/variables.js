// Which prompts are compared, and the variables that they take.
import { all, call } from "../api/client.js";
import { useEffect, useSignal } from "../app/html.js";
import { may } from "../app/session.js";
import { say } from "../parts/notice.js";
import { valuesOf } from "../prompts/template.js";

/** @typedef {import("../prompts/template.js").Variables} Variables */

const PROMPT = /^prompt:([^@]+)(?:@(.+))?$/;

/** Prompts that this key may read, and what each target takes. @param {string[]} targets */
export function usePrompts(targets) {
  const prompts = useSignal(/** @type {Api.PromptSummary[]} */ ([]));
  const known = useSignal(/** @type {Record<string, Variables>} */ ({}));
  useEffect(() => {
    if (may("agents:write", "prompts:release")) all(["prompts"]).then((found) => (prompts.value = found), say);
  }, []);
  const versions = targets.map((target) => versionOf(target, prompts.value));
  useEffect(() => {
    for (const one of versions.filter((one) => one && !known.peek()[one])) {
      const [name, version] = one.split("@");
      call("GET", ["prompts", name, "versions", version]).then(
        ({ variables }) => (known.value = { ...known.peek(), [one]: /** @type {Variables} */ (variables ?? {}) }),
        () => {}, // who asks it is told why it does not answer
      );
    }
  }, versions);
  return { prompts: prompts.value, variables: versions.map((one) => known.value[one] ?? {}) };
}

/** Name and number of the version that answers for a target; empty where it is no known prompt. @param {string} target @param {Api.PromptSummary[]} prompts */
function versionOf(target, prompts) {
  const [, name, wanted] = PROMPT.exec(target) ?? [];
  const prompt = prompts.find((one) => one.name === name);
  if (!prompt) return "";
  const version = wanted === undefined ? prompt.version : Number(wanted) || prompt.labels?.find(({ label }) => label === wanted)?.version;
  return version && version <= prompt.newest ? `${name}@${version}` : "";
}

/** The values to ask with. Throws what is no number, or what is required and was not typed. @param {Variables} variables @param {Record<string, string>} typed */
export function requiredValues(variables, typed) {
  const values = valuesOf(variables, typed);
  const missing = Object.keys(variables).filter((name) => variables[name].default === null && !(name in values));
  if (missing.length) throw new Error(`Fill in ${missing.map((name) => `“${name}”`).join(" and ")}: the prompt needs it.`);
  return values;
}
