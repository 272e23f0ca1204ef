// How the installation does: health, models, jobs; for admins tenants, keys and what was done with them.
import { html } from "../app/html.js";
import { addressOf, route } from "../app/router.js";
import { may } from "../app/session.js";
import { Audit } from "../operations/audit.js";
import { Health } from "../operations/health.js";
import { Jobs } from "../operations/jobs.js";
import { Keys } from "../operations/keys.js";
import { Models } from "../operations/models.js";
import { Tenants } from "../operations/tenants.js";

/** @type {{ name: string, title: string, section: any, scopes?: Api.Me["scopes"] }[]} */
const SECTIONS = [
  { name: "health", title: "Health", section: Health },
  { name: "models", title: "Models", section: Models },
  { name: "jobs", title: "Jobs", section: Jobs, scopes: ["documents"] },
  { name: "tenants", title: "Tenants", section: Tenants, scopes: ["admin"] },
  { name: "keys", title: "Keys", section: Keys, scopes: ["admin"] },
  { name: "audit", title: "Audit log", section: Audit, scopes: ["admin"] },
];

/** The page. */
export function Operations() {
  const open = SECTIONS.filter(({ scopes }) => !scopes || may(...scopes));
  const current = open.find(({ name }) => name === route.value.path[1]) ?? open[0];
  return html`
    <div class="sided">
      <nav class="collections" aria-label="Operations">
        <ul>${open.map(({ name, title }) => html`<li><a href=${addressOf("operations", name)} aria-current=${name === current.name ? "page" : null}>${title}</a></li>`)}</ul>
      </nav>
      <section class="inside" aria-label=${current.title}>
        <h1>${current.title}</h1>
        <${current.section} key=${current.name} />
      </section>
    </div>`;
}
