// Two thumbs under an answer. What else there is to say is loaded when somebody wants to say it.
import { html, useEffect, useSignal } from "../app/html.js";
import { say } from "../parts/notice.js";
import { rate, readSaid, said, takeBack } from "./said.js";

/** An answer that can be judged. @typedef {{ id: string, text: string, citations: Api.Annotation[], over?: string | null }} Judged */

const THUMB = "M2 10h4v11H2zM8 21h8.6a2 2 0 0 0 1.9-1.5l1.9-7A2 2 0 0 0 18.5 10H14l.7-4.6A2 2 0 0 0 12.7 3H12L8 10z";
const DOWN = new Set(["down", 1, 2]);

/** @param {{ answer: Judged }} props */
export function Thumbs({ answer }) {
  const form = useSignal(/** @type {any} */ (null));
  useEffect(() => {
    readSaid().catch(say);
  }, []);
  const mine = said.value?.get(answer.id);
  const rating = mine?.rating == null ? "" : DOWN.has(mine.rating) ? "down" : mine.rating === 3 ? "" : "up";
  const open = async () => {
    await readSaid();
    form.value = (await import("./form.js")).Form;
  };

  /** @param {"up" | "down"} wanted */
  async function choose(wanted) {
    try {
      if (rating === wanted && mine && !mine.comment && !mine.correction && !mine.labels.length) return await (mine.blind ? rate(answer.id, { rating: null }) : takeBack(mine));
      // Why it was bad is no reason why it is good.
      const labels = rating && rating !== wanted ? { labels: [] } : {};
      const choice = mine?.blind ? {} : { preferred_over: wanted === "up" ? answer.over : null };
      await rate(answer.id, { rating: wanted, ...labels, ...choice });
      form.value = null;
      if (wanted === "down") await open();
    } catch (error) {
      say(error);
    }
  }
  return html`
    <span class="thumbs" role="group" aria-label="Was this answer good?">
      ${/** @type {const} */ (["up", "down"]).map((wanted) => html`
        <button type="button" class="quiet" aria-pressed=${rating === wanted} aria-label=${wanted === "up" ? "Good answer" : "Bad answer"}
          title=${wanted === "up" ? "Good answer" : "Bad answer"} onClick=${() => choose(wanted)}>
          <svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true" class=${wanted}><path d=${THUMB} /></svg>
        </button>`)}
      <button type="button" class="quiet" aria-expanded=${form.value !== null} onClick=${() => (form.value ? (form.value = null) : open().catch(say))}>Correct</button>
    </span>
    ${form.value && html`<${form.value} answer=${answer} close=${() => (form.value = null)} />`}`;
}
