// Reading again and again, while somebody looks.
import { useEffect } from "../app/html.js";

/** Read now and `ms` after each reading, not while the tab is hidden.
 * @param {(signal: AbortSignal) => Promise<unknown>} read @param {number} ms @param {unknown[]} inputs what it depends on */
export function usePolling(read, ms, inputs) {
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const look = async () => {
      if (!document.hidden) await read(stop.signal);
      if (!stop.signal.aborted) timer = setTimeout(look, ms);
    };
    look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, inputs);
}
