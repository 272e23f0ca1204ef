"""What a page must not do with the texts that it shows, and which of them it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.console.visit import Visit

LIVING = """() => {
  const dead = "script, img, picture, iframe, object, embed, svg, base, style, meta, link, audio, video, form[action]";
  const bad = [];
  const own = new URL("../", document.baseURI).href;
  for (const one of document.body.querySelectorAll("*")) {
    if (one.matches(dead) && !one.matches("header img[src='icon.svg']")) bad.push(one.outerHTML.slice(0, 200));
    if (one.matches("a") && !one.href.startsWith(own)) bad.push(`a ${one.href}`);
    for (const { name } of one.attributes) if (name.startsWith("on")) bad.push(name);
  }
  if (!/^([A-Z][a-z ]+ · )?Groundwork$/.test(document.title)) bad.push(`title ${document.title}`);
  return bad.concat(Array(Math.max(0, document.head.children.length - window.heads)).fill("head"));
}"""
HEADS = "addEventListener('DOMContentLoaded', () => (window.heads = document.head.children.length))"
TEXT = """() => {
  const typed = [...document.querySelectorAll("input, textarea")].map(({ value }) => value);
  return [document.body.textContent, ...typed].join("\\n");
}"""


@dataclass
class Findings:
    """What lived, and how many of the texts each place showed."""

    living: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    shown: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By place, for each text that belongs there, whether it was seen."""

    def watch(self, visit: Visit) -> None:
        """All that a page does that it must not do."""
        page = visit.page
        page.add_init_script(HEADS)
        page.on("dialog", lambda dialog: (self.alerts.append(dialog.message), dialog.dismiss()))
        page.on(
            "console", lambda line: self.reports.append(line.text) if "Content Security Policy" in line.text else None
        )
        page.on("request", lambda request: self._requested(visit, request.url))
        page.on("pageerror", lambda error: self.living.append(str(error)))
        page.on("popup", lambda _: self.elsewhere.append("popup"))

    def _requested(self, visit: Visit, url: str) -> None:
        if not url.startswith((visit.base_url, "about:", "blob:")):
            self.elsewhere.append(url)

    def look(self, visit: Visit, place: str, texts: Sequence[str]) -> None:
        """Look at the page as it is; which of the texts it shows, word for word."""
        self.living += [f"{place}: {one}" for one in visit.page.evaluate(LIVING)]
        shown, seen = _words(visit.page.evaluate(TEXT)), self.shown.setdefault(place, {})
        for text in texts:
            seen[text] = seen.get(text, False) or _words(text) in shown


def _words(text: str) -> str:
    """Without white space, which lines and cells change."""
    return "".join(text.split())
