// What somebody sees who is not signed in.
import { signedOutBecause } from "../api/client.js";
import { html, useSignal } from "../app/html.js";
import { signIn } from "../app/session.js";
import { focused } from "../parts/keys.js";

/** Asks for a key. */
export function SignIn() {
  const busy = useSignal(false);
  const problem = useSignal("");

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    busy.value = true;
    problem.value = "";
    try {
      await signIn(String(new FormData(form).get("key")).trim());
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }

  const wrong = problem.value || signedOutBecause.value;
  return html`
    <main class="signin">
      <h1><img src="icon.svg" alt="" width="28" height="28" /> Groundwork</h1>
      <form onSubmit=${submit}>
        <label for="key">API key</label>
        <input id="key" name="key" type="password" required ref=${focused} autocomplete="off" spellcheck="false"
          placeholder="gw_…" aria-describedby="key-help" />
        <button class="primary" disabled=${busy.value}>${busy.value ? "Signing in …" : "Sign in"}</button>
        ${wrong && html`<p class="problem" role="alert">${wrong}</p>`}
        <p id="key-help" class="hint">
          On the machine that Groundwork runs on, <code>groundwork open</code> signs you in and${" "}
          <code>groundwork key</code> prints the key. The key is sent once and not stored in this browser.
        </p>
      </form>
    </main>
  `;
}
