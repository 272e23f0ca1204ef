// Keys that work everywhere on a page.
import { useEffect } from "../app/html.js";

/** `/` goes to a box, unless somebody is writing. @param {{ current: HTMLElement | null }} box */
export function useSlash(box) {
  useEffect(() => {
    const onKey = (/** @type {KeyboardEvent} */ event) => {
      const isTyping = /** @type {Element} */ (event.target).matches?.("input, textarea, select");
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      box.current?.focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

/** The `ref` of an element that what is typed next belongs to: `autofocus` works for the first one of a document alone.
 * @param {HTMLElement | null} element */
export function focused(element) {
  element?.focus();
}
