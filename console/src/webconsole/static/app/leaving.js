// What would be lost if the tab were left now: the browser asks first.

const losses = /** @type {Set<() => boolean>} */ (new Set());
addEventListener("beforeunload", (event) => {
  if ([...losses].some((isLosing) => isLosing())) event.preventDefault();
});

/** Ask whenever this says so, until what is returned is called. @param {() => boolean} isLosing */
export function askBeforeLeaving(isLosing) {
  losses.add(isLosing);
  return () => void losses.delete(isLosing);
}
