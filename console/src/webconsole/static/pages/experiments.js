// What the variants of a route have shown so far, and who gets its calls: stop a split, or go back to an earlier version.
import { all, call } from "../api/client.js";
import { html, useEffect, useSignal } from "../app/html.js";
import { addressOf, go, route } from "../app/router.js";
import { may } from "../app/session.js";
import { MEASURES } from "../experiments/figures.js";
import { SplitForm } from "../experiments/split.js";
import { counted, when } from "../parts/format.js";
import { Whisker, extent, p } from "../parts/interval.js";
import { say } from "../parts/notice.js";

/** The page. */
export function Experiments() {
  return may("admin")
    ? html`<${Routes} />`
    : html`<p class="hint alone">This key may not see or split routes. Sign in with one that has the scope “admin”.</p>`;
}

function Routes() {
  const routes = useSignal(/** @type {Api.Route[] | null} */ (null));
  const problem = useSignal("");
  const again = useSignal(0);
  const adding = useSignal(false);
  useEffect(() => {
    all(["routes"]).then(
      (found) => (routes.value = found.filter((one) => one.configured)),
      ({ message }) => (problem.value = message),
    );
  }, [again.value]);
  const known = routes.value ?? [];
  const current = known.find(({ name }) => name === route.value.path[1]) ?? known[0];
  const changed = () => (again.value += 1);
  const made = (/** @type {string} */ name) => {
    adding.value = false;
    changed();
    go("experiments", name);
  };
  return html`
    <div class="sided">
      <nav class="collections" aria-label="Routes">
        <ul>${known.map(({ name }) => html`<li><a href=${addressOf("experiments", name)} aria-current=${name === current.name ? "page" : null}>${name}</a></li>`)}</ul>
        <button class="quiet" onClick=${() => (adding.value = true)}>New split</button>
      </nav>
      <section class="inside" aria-label="Experiments">
        ${adding.value
          ? html`<h1>New split</h1><${SplitForm} names=${known.map(({ name }) => name)} made=${made} cancel=${() => (adding.value = false)} />`
          : html`
            <header class="bar-of-choices"><h1>${current?.name ?? "Experiments"}</h1><button class="quiet" onClick=${changed}>Read again</button></header>
            ${problem.value && html`<p class="problem" role="alert">${problem.value}</p>`}
            ${!routes.value && !problem.value && html`<p class="hint" role="status">Looking …</p>`}
            ${routes.value && !current && html`<p class="hint">There is no route yet. “New split” makes one, with two answers to compare.</p>`}
            ${current && html`<${Experiment} key=${current.name} shown=${current} again=${again.value} changed=${changed} />`}`}
      </section>
    </div>`;
}

/** @param {{ shown: Api.Route, again: number, changed: () => void }} props */
function Experiment({ shown, again, changed }) {
  const figures = useSignal(/** @type {Api.Experiment | null} */ (null));
  const versions = useSignal(/** @type {Api.RouteVersion[]} */ ([]));
  const problem = useSignal("");
  const { name } = shown;
  useEffect(() => {
    call("GET", ["routes", name, "versions"]).then((page) => (versions.value = page.data), ({ message }) => (problem.value = message));
    call("GET", ["experiments", name]).then((found) => (figures.value = found), ({ message }) => (problem.value = message));
  }, [again]);
  const act = async (/** @type {Promise<unknown>} */ work, /** @type {string} */ done) => {
    try {
      await work;
      say(done);
      changed();
    } catch (error) {
      say(error);
    }
  };
  const keep = (/** @type {string} */ variant) => {
    const spec = versions.value.find(({ active }) => active)?.spec;
    if (!spec || !confirm(`All calls of ${name} go to ${variant} from now on.`)) return;
    const targets = spec.targets.map((target) => ({ ...target, weight: (target.name ?? target.model) === variant ? target.weight || 1 : 0 }));
    act(call("PUT", ["routes", name], { json: { ...spec, targets, guard: null } }), `${variant} answers all calls of ${name}.`);
  };
  const back = (/** @type {number} */ version) => {
    if (confirm(`${name} answers as in version ${version} again, and its figures begin anew.`))
      act(call("POST", ["routes", name, "versions", String(version), "activate"]), `Version ${version} of ${name} answers.`);
  };
  return html`
    ${problem.value && html`<p class="hint" role="status">${problem.value}</p>`}
    ${figures.value && html`<${Figures} figures=${figures.value} keep=${keep} />`}
    <section aria-labelledby="versions"><h2 id="versions">Versions</h2>
      <table class="wide">
        <thead><tr><th>Version</th><th>Targets</th><th>Answered</th><th></th></tr></thead>
        <tbody>${versions.value.map((one) => html`
          <tr key=${one.version} data-version=${one.version}>
            <td>${one.version}${one.active && html` <strong>answers</strong>`}</td>
            <td data-label="Targets">${one.spec.targets.map((target) => html`<div>${target.name ?? target.model} <span class="hint">${target.weight}${target.name ? ` · ${target.model}` : ""}</span></div>`)}</td>
            <td data-label="Answered">${when(one.activated_at)}${one.ended_at && ` to ${when(one.ended_at)}`}
              ${one.ended_by && html`<div class="hint">ended by its guard: ${one.ended_by.metric} of ${one.ended_by.variant}, p ${p(one.ended_by.p)}</div>`}</td>
            <td>${!one.active && html`<button class="quiet" onClick=${() => back(one.version)}>Go back to this</button>`}</td>
          </tr>`)}</tbody>
      </table>
    </section>`;
}

/** @param {{ figures: Api.Experiment, keep: (variant: string) => void }} props */
function Figures({ figures, keep }) {
  const { variants, ended_by: ended, active, guard } = figures;
  const shares = variants.filter(({ weight }) => weight > 0).length;
  const measured = MEASURES.filter(({ name }) => variants.some(({ measures }) => measures[name]?.calls));
  return html`
    <p class="hint">Version ${figures.version}, split by ${figures.split_by}, since ${when(figures.since)}${figures.until && ` until ${when(figures.until)}`}.
      ${guard && ` A guard looks at ${guard.metric}.`} You may look as often as you like: intervals and p account for that.</p>
    ${ended && html`<p class="problem" role="status">The guard ended ${ended.variant}: ${ended.metric} was worse than the first target's (p ${p(ended.p)}).</p>`}
    <table class="wide">
      <thead><tr><th>Variant</th><th class="number">Calls</th><th class="number">By</th><th></th></tr></thead>
      <tbody>${variants.map((one) => html`
        <tr key=${one.name} data-variant=${one.name}>
          <td>${one.name} <span class="hint">${one.is_shadow ? "shadow" : one.is_baseline ? "the others are compared with this" : ""}</span></td>
          <td class="number" data-label="Calls">${one.calls.toLocaleString()}</td>
          <td class="number" data-label="By">${figures.split_by === "call" ? "" : counted(one.units, figures.split_by)}</td>
          <td>${active && shares > 1 && one.weight > 0 && html`<button class="quiet" onClick=${() => keep(one.name)}>All calls to this</button>`}</td>
        </tr>`)}</tbody>
    </table>
    ${!measured.length && html`<p class="hint">No call yet.</p>`}
    ${measured.map(({ name, title, text, better }) => {
      const scale = extent(variants.map(({ measures }) => measures[name]));
      return html`
        <figure class="chart" key=${name} data-measure=${name}>
          <figcaption>${title} <span class="hint">${better}</span></figcaption>
          <table class="wide">
            <tbody>${variants.map(({ name: variant, measures, is_baseline: first }) => html`
              <tr key=${variant}>
                <th scope="row">${variant}</th>
                <td class="number" data-label="Average">${measures[name].value === null ? "" : text(measures[name].value)}</td>
                <td><${Whisker} figure=${measures[name]} scale=${scale} text=${text} /></td>
                <td class="number" data-label="Difference">${first ? "" : measures[name].p === null ? "too few yet" : `p ${p(measures[name].p)}`}</td>
              </tr>`)}</tbody>
          </table>
        </figure>`;
    })}`;
}
