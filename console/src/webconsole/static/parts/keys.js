// Keys that work everywhere on a page.
import { useLayoutEffect } from "../app/html.js";

/** Keys of a page, from when it is drawn on, before it is painted, unless somebody is writing.
 * @param {(event: KeyboardEvent) => void} onKey */
export function useKeys(onKey) {
  useLayoutEffect(() => {
    const listen = (/** @type {KeyboardEvent} */ event) => {
      const isTyping = /** @type {Element} */ (event.target).matches?.("input, textarea, select");
      if (!isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) onKey(event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  });
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
