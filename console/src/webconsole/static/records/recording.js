// What is kept of a tenant's answers, and how long: switched on and off by an administrator.
import { all, call, me } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../app/html.js";
import { addressOf } from "../app/router.js";
import { say } from "../parts/notice.js";

const MODES = { off: "nothing", metadata: "all but their words", full: "all, with their words" };
const MOST_KEYS = 5000;

/** It is open where nothing is kept yet. */
export function Recording() {
  const tenant = useSignal(/** @type {Api.Tenant | null} */ (null));
  const others = useSignal(/** @type {Api.Key[]} */ ([]));
  const problem = useSignal("");
  const busy = useSignal(false);
  const isOpen = useRef(false);
  const name = me.value?.tenant ?? "";
  useEffect(() => {
    Promise.all([call("GET", ["tenants", name]), all(["keys"], { tenant: name }, MOST_KEYS)]).then(([found, keys]) => {
      isOpen.current = found.records === "off";
      others.value = keys.filter((key) => !key.revoked_at && key.records);
      tenant.value = found;
    }, say);
  }, []);

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    problem.value = "";
    busy.value = true;
    try {
      const json = { records: /** @type {Api.Tenant["records"]} */ (form.get("records")), records_days: Number(form.get("days")) };
      tenant.value = await call("PATCH", ["tenants", name], { json });
      say(json.records === "off" ? "Answers are not recorded any more." : "Answers are recorded from now on.");
    } catch (error) {
      problem.value = /** @type {Error} */ (error).message;
    }
    busy.value = false;
  }
  if (!tenant.value) return null;
  const { records, records_days: days } = tenant.value;
  return html`
    <details class="call" open=${isOpen.current}>
      <summary>Recording: ${records}${records !== "off" && `, kept ${days} days`}</summary>
      <form class="adder" onSubmit=${submit} aria-label="Recording">
        <p class="choices">
          <label>Of answers of the tenant ${name} is kept <select name="records">
            ${Object.entries(MODES).map(([mode, title]) => html`<option value=${mode} selected=${mode === records}>${title} (${mode})</option>`)}</select></label>
          <label>for <input name="days" type="number" min="1" max="3650" required defaultValue=${days} /> days</label>
          <button class="primary" disabled=${busy.value}>Save</button>
        </p>
        ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
        <div class="hint">${others.value.length > 0
          ? `Keys that say otherwise: ${others.value.map((key) => `${key.name} (${key.records})`).join(", ")}. They are changed under `
          : "It holds for all keys of the tenant that say nothing else, which they can under "}<a href=${addressOf("operations", "keys")}>Keys</a>.
          What a key's guardrails mask is masked here, too.</div>
      </form>
    </details>`;
}
