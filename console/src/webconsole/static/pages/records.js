// Records: what was asked and answered, where a key or its tenant has that kept; the questions that nothing answered.
import { html } from "../app/html.js";
import { addressOf, route } from "../app/router.js";
import { may } from "../app/session.js";
import { RecordList } from "../records/list.js";
import { Record } from "../records/record.js";

/** The page. The address holds which record is open, and what the list is filtered by. */
export function Records() {
  if (!may("records:read")) {
    return html`<p class="hint alone">This key may not read records. Sign in with one that has the scope “records:read”.</p>`;
  }
  const id = route.value.path[1];
  return html`
    <section class="inside panel" aria-label=${id ? "Record" : "Records"}>
      ${id ? html`<p><a href=${addressOf("records")}>← All records</a></p><${Record} key=${id} id=${id} />` : html`<${RecordList} />`}
    </section>`;
}
