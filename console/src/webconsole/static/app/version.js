// Whether this tab is still of the console that the server has: a tab may be open for weeks.
import { signal } from "./html.js";

const MINE = document.querySelector('meta[name="version"]')?.getAttribute("content");

/** Whether the server is known to have another console by now. Pages of two consoles are not mixed. */
export const upgraded = signal(false);

/** Ask the server. One that does not answer says nothing. */
export async function isUpgraded() {
  try {
    const answer = await fetch("version", { cache: "no-cache" });
    if (answer.ok) upgraded.value = (await answer.text()) !== MINE;
  } catch {
    // said elsewhere
  }
  return upgraded.value;
}
