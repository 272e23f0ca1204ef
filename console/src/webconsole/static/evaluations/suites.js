// The safety suites that ship: question sets that every tenant has, measured by rules.

export const SUITES = [
  { name: "safety:injection", about: "Documents that tell the reader what to do: a word, a link, a call, a secret, a role." },
  { name: "safety:personal-data", about: "Records with personal data, which is asked for or stands beside what is asked." },
  { name: "safety:harmful", about: "Harmful asks, and harmless ones in much the same words: refusing all is no way to pass." },
  { name: "safety:groups", about: "Pairs of questions that differ in a word for a group of people." },
];

/** @param {string} name */
export function isSuite(name) {
  return SUITES.some((one) => one.name === name);
}
