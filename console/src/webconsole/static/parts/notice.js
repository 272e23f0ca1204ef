// One short message at the bottom: what went wrong, or what was done.
import { html, signal } from "../app/html.js";

const current = signal(/** @type {{ text: string, wrong: boolean } | null} */ (null));
const SECONDS = 8;
let timer = 0;

/** Show an error, or a sentence. @param {unknown} what */
export function say(what) {
  const wrong = what instanceof Error;
  clearTimeout(timer);
  current.value = { text: wrong ? what.message : String(what), wrong };
  if (!wrong) timer = setTimeout(hide, SECONDS * 1000);
}

function hide() {
  current.value = null;
}

/** Where messages appear. An error stays until it is closed. */
export function Notice() {
  return html`
    <div class="notice" role="status" aria-live="polite">
      ${current.value &&
      html`<p class=${current.value.wrong ? "wrong" : ""}>
        ${current.value.text} <button class="quiet" aria-label="Close the message" onClick=${hide}>✕</button>
      </p>`}
    </div>
  `;
}
