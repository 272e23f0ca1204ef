// Which page is shown: the part of the address behind `#`, so that the console works below any prefix of a proxy.
import { signal } from "./html.js";

/** @typedef {{ path: string[], query: URLSearchParams }} Route */

/** @returns {Route} */
function read() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody typed it
  }
}

export const route = signal(read());
addEventListener("hashchange", () => (route.value = read()));

/** The address of a page. @param {...string} path */
export function addressOf(...path) {
  return "#/" + path.map(encodeURIComponent).join("/");
}

/** Say the address of what is seen, without going anywhere: whoever has left for another one stays there.
 * @param {...string} path */
export function rename(...path) {
  const here = read().path;
  if ((here[0] ?? path[0]) !== path[0] || here.join("/") !== route.peek().path.join("/")) return;
  history.replaceState(null, "", addressOf(...path));
  route.value = read();
}

/** Go to a page. @param {...string} path */
export function go(...path) {
  location.hash = addressOf(...path);
}

/** The address of a page as it is for a query; what is empty is left out.
 * @param {string[]} path @param {Record<string, string | number>} query */
export function addressWith(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return addressOf(...path) + (text && `?${text}`);
}
