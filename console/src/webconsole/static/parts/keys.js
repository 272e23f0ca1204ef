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
