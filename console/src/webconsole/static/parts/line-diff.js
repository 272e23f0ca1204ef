// What changed between two texts, line by line.

/** @typedef {{ kind: "same" | "gone" | "new", lines: string[] }} Run */

/** Lines that are compared by their longest common subsequence; beyond that they are shown as replaced. */
const MOST_COMPARED = 2000;

/** Runs of lines of both that stayed, went or came, in order. @param {string[]} before @param {string[]} after @returns {Run[]} */
export function lineDiff(before, after) {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const middle = between(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  /** @type {Run[]} */
  const runs = [{ kind: "same", lines: before.slice(0, head) }, ...middle, { kind: "same", lines: tail ? before.slice(-tail) : [] }];
  return runs.filter((run) => run.lines.length);
}

/** @param {string[]} old @param {string[]} fresh @returns {Run[]} */
function between(old, fresh) {
  if (Math.max(old.length, fresh.length) > MOST_COMPARED) {
    return [{ kind: "gone", lines: old }, { kind: "new", lines: fresh }];
  }
  const width = fresh.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        old[i] === fresh[j] ? common[(i + 1) * width + j + 1] + 1 : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  /** @type {Run[]} */
  const runs = [];
  const add = (/** @type {Run["kind"]} */ kind, /** @type {string} */ line) => {
    const last = runs.at(-1);
    if (last?.kind === kind) last.lines.push(line);
    else runs.push({ kind, lines: [line] });
  };
  let [i, j] = [0, 0];
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      add("same", old[i]);
      i += 1;
      j += 1;
    } else if (i < old.length && (j === fresh.length || common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      add("gone", old[i]);
      i += 1;
    } else {
      add("new", fresh[j]);
      j += 1;
    }
  }
  return runs;
}
