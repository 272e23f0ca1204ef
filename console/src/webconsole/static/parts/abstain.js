// Who decides that the documents hold no answer.

/** The values of `abstain`, and their words. @type {["model" | "reader" | "never", string][]} */
export const DECIDERS = [["model", "the chat model"], ["reader", "rules and the reading model"], ["never", "nobody: there is always an answer"]];
