// What the variants of a route are compared by.
import { duration } from "../parts/format.js";

const percent = (/** @type {number} */ value) => `${(value * 100).toFixed(1)} %`;

/** @type {{ name: "rating" | "support" | "abstention" | "error_rate" | "cost_usd" | "latency_ms", title: string, better: string, text: (value: number) => string }[]} */
export const MEASURES = [
  { name: "rating", title: "Ratings that are up", better: "more is better", text: percent },
  { name: "support", title: "Answers that their sources support", better: "more is better", text: percent },
  { name: "abstention", title: "Answers that say no", better: "less is better", text: percent },
  { name: "error_rate", title: "Calls that failed", better: "less is better", text: percent },
  { name: "cost_usd", title: "Cost of a call", better: "less is better", text: (value) => `${value.toPrecision(3)} USD` },
  { name: "latency_ms", title: "Time of a call", better: "less is better", text: duration },
];
