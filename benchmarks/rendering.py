"""What a page would fetch or link if it rendered a text: by a real Markdown renderer, with HTML and bare addresses."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

_BARE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|(?<![\w.@-])www\.|\b(?:mailto|javascript|data):)\S+"
    r"|(?<![\w.@/-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?[/?]\S*",
    re.IGNORECASE,
)
"""What renderers make a link of though no markup says so (GitHub's autolinks, and addresses without a scheme)."""


_FETCHED = ("src", "href", "srcset", "data", "action", "style")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag == "code"
        named = [
            value for name, value in attrs if name in ("src", "href", "srcset", "data", "action", "style") and value
        ]
        handlers = [name for name, _ in attrs if name.startswith("on")]
        if named or handlers or tag in ("img", "iframe", "script", "object", "embed", "svg", "link", "meta", "base"):
            self.found.append(f"<{tag} {' '.join((*named, *handlers))}>"[:200])

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.found.extend(_BARE.findall(data))


def rendered_links(text: str) -> list[str]:
    """The elements and bare addresses of a rendered text that are fetched, followed or run."""
    page = _Page()
    page.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    page.close()
    return page.found
