// The frame of all pages: who is signed in, the way from page to page, what is wrong with the connection.
import { call, me, reachable } from "../api/client.js";
import { SignIn } from "../pages/signin.js";
import { Notice, say } from "../parts/notice.js";
import { effect, html, render } from "./html.js";
import { Opened, PAGES, Reload } from "./pages.js";
import { addressOf, route } from "./router.js";
import { may, openSession, signOut } from "./session.js";
import { isUpgraded, upgraded } from "./version.js";

function shown() {
  return PAGES.find((page) => page.name === route.value.path[0]) ?? PAGES[0];
}

function Frame() {
  const current = shown();
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <header>
      <a class="brand" href=${addressOf("chat")}><img src="icon.svg" alt="" width="20" height="20" /> Groundwork</a>
      <nav aria-label="Pages">
        ${PAGES.filter(({ scopes }) => !scopes || may(...scopes)).map(
          ({ name, title }) => html`
            <a href=${addressOf(name)} aria-current=${name === current.name ? "page" : null}>${title}</a>`,
        )}
      </nav>
      <span class="who" title=${`Key “${me.value?.name}”`}>${me.value?.tenant}</span>
      <button class="quiet" onClick=${() => signOut().catch(say)}>Sign out</button>
    </header>
    ${!reachable.value &&
    html`<p class="banner" role="alert">
      Groundwork can't be reached. What you see may be old; it goes on by itself once it is back.
    </p>`}
    ${upgraded.value && html`<p class="banner" role="alert">Groundwork was upgraded. What is seen here still works; the rest needs the tab anew. <${Reload} /></p>`}
    <main id="main" tabindex="-1"><${Opened} key=${current.name} page=${current} /></main>
    <${Notice} />
  `;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Console() {
  if (me.value === undefined) return null;
  return me.value ? html`<${Frame} />` : html`<${SignIn} />`;
}

effect(() => {
  document.title = me.value ? `${shown().title} · Groundwork` : "Sign in · Groundwork";
});
// The server is back after it was away: maybe as a newer one.
let wasAway = false;
effect(() => {
  if (reachable.value && wasAway) {
    say("Groundwork is back.");
    isUpgraded();
  }
  wasAway = !reachable.value;
});
// Another tab may have signed in with another key since: what is shown here is then not that key's.
addEventListener("focus", async () => {
  const mine = me.value && (await call("GET", ["me"]).catch(() => null));
  if (mine && me.value && mine.key_id !== me.value.key_id) location.reload();
});
await openSession();
document.body.replaceChildren();
render(html`<${Console} />`, document.body);
