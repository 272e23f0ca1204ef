// Signing in and out. The key goes to the server once and is kept nowhere: what stays is a cookie no script can read.
import { call, me, signedOutBecause } from "../api/client.js";
import { clear } from "../chat/conversation.js";

/** Only a one-time token: a link with a key of somebody else's would sign people in as him for ever. */
const TOKEN_LINK = /^#token=(gwo_[\w-]+)$/;
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload();
});

/** Who is signed in already, or by the token in the address (`groundwork open`). */
export async function openSession() {
  const token = TOKEN_LINK.exec(location.hash)?.[1];
  if (location.hash.startsWith("#token=")) history.replaceState(null, "", location.pathname);
  if (token && (await mayReplaceSession())) {
    try {
      return await signIn(token);
    } catch (error) {
      signedOutBecause.value = /** @type {Error} */ (error).message;
    }
  }
  try {
    const mine = await call("GET", ["me"]);
    me.value = mine.session ? mine : null;
  } catch (error) {
    if (/** @type {{ status?: number }} */ (error).status === 0) signedOutBecause.value = /** @type {Error} */ (error).message;
    me.value = null;
  }
}

/** Whether a link may sign in here: somebody who is signed in already is asked. */
async function mayReplaceSession() {
  const mine = await call("GET", ["me"]).catch(() => null);
  return !mine?.session || confirm(`You are signed in with the key “${mine.name}”. Sign in by this link instead?`);
}

/** Begin a session. @param {string} secret a key or a one-time token */
export async function signIn(secret) {
  me.value = await call("POST", ["session"], { headers: { Authorization: `Bearer ${secret}` } });
  signedOutBecause.value = "";
}

/** End it, here and on the server; what this browser has kept for it goes, too. */
export async function signOut() {
  await call("DELETE", ["session"]).catch((/** @type {{ status?: number }} */ error) => {
    if (error.status !== 401) throw error; // it had ended already
  });
  clear();
  for (const store of [localStorage, sessionStorage]) {
    for (const name of Object.keys(store).filter((one) => one.startsWith("groundwork."))) store.removeItem(name);
  }
  signedOutBecause.value = "";
  me.value = null;
  location.hash = ""; // no conversation for who signs in next
}

/** Whether the key behind the session has one of the scopes. @param {...Api.Me["scopes"][number]} scopes */
export function may(...scopes) {
  return scopes.some((scope) => me.value?.scopes.includes(scope));
}
