// A box whose text is chosen once somebody stops to type.
import { html, useEffect, useRef, useSignal } from "../app/html.js";

const WAIT_MS = 300;

/** What is chosen elsewhere is shown; what comes of one's own typing never changes what is typed.
 * @param {{ label: string, placeholder?: string, type?: string, most: number, value: string, choose: (text: string) => void }} props */
export function Typed({ label, placeholder = label, type = "text", most, value, choose }) {
  const text = useSignal(value);
  const chosen = useRef(value);
  const timer = useRef(0);
  useEffect(() => {
    if (value === chosen.current) return;
    clearTimeout(timer.current);
    text.value = chosen.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const take = (/** @type {string} */ typed) => {
    text.value = typed;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => choose((chosen.current = typed.trim())), WAIT_MS);
  };
  return html`<input type=${type} aria-label=${label} placeholder=${placeholder} maxlength=${most} value=${text.value} onInput=${(/** @type {any} */ event) => take(event.target.value)} />`;
}
