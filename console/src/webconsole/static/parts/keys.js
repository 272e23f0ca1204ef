// Keys that work everywhere on a page.
import { useLayoutEffect, useRef } from "../app/html.js";

/** Keys that a page answers unless somebody is writing, from the moment it is drawn on: one that is pressed before the
 * browser has painted is one of the page, too. @param {(event: KeyboardEvent) => void} onKey @param {boolean} [isOn] */
export function useKeys(onKey, isOn = true) {
  const newest = useRef(onKey);
  newest.current = onKey;
  useLayoutEffect(() => {
    if (!isOn) return;
    const listen = (/** @type {KeyboardEvent} */ event) => {
      const isTyping = /** @type {Element} */ (event.target).matches?.("input, textarea, select");
      if (!isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) newest.current(event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [isOn]);
}

/** `/` goes to a box, unless somebody is writing. @param {{ current: HTMLElement | null }} box */
export function useSlash(box) {
  useKeys((event) => {
    if (event.key !== "/") return;
    event.preventDefault();
    box.current?.focus();
  });
}

/** The `ref` of an element that what is typed next belongs to: `autofocus` works for the first one of a document alone.
 * @param {HTMLElement | null} element */
export function focused(element) {
  element?.focus();
}
