"""What a page would fetch, follow or run if it rendered a text: by two real renderers of Markdown.

`cmark-gfm` is what GitHub renders with, with its extensions and without its own filter of HTML; `markdown-it` with
`linkify` makes links of more bare names of hosts than any other renderer.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt

_BARE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|(?<![\w.@-])www\.|\b(?:mailto|javascript|data):)\S+"
    r"|(?<![\w.@/-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?[/?]\S*",
    re.IGNORECASE,
)
"""What some page may make a link of though no markup says so: these two do it for fewer."""
_TEXT = re.compile("p|em|strong|del|s|code|pre|[uo]l|li|blockquote|h[1-6r]|br|table|thead|tbody|t[rhd]|sup")
"""Elements that only shape text."""
_FETCHED = ("src", "href", "srcset", "data", "action", "style")
_GITHUB = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
_LINKIFY = MarkdownIt("gfm-like", {"html": True, "linkify": True})


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.live: list[str] = []
        self.bare: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag == "code"
        named = [value or "" for name, value in attrs if name in _FETCHED and not _aligns(name, value)]
        handlers = [name for name, _ in attrs if name.startswith("on")]
        if tag == "input" and ("type", "checkbox") in attrs:
            return  # a box of a list of things to do
        if named or handlers or not _TEXT.fullmatch(tag):
            self.live.append(f"<{tag} {' '.join((*named, *handlers))}>"[:200])

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.bare.extend(_BARE.findall(data))

    def handle_comment(self, data: str) -> None:
        self.live.append(f"<!--{data}-->"[:200])

    def handle_decl(self, decl: str) -> None:
        self.live.append(f"<!{decl}>"[:200])

    def handle_pi(self, data: str) -> None:
        self.live.append(f"<?{data}>"[:200])

    def unknown_decl(self, data: str) -> None:
        self.live.append(f"<![{data}>"[:200])


def _aligns(name: str, value: str | None) -> bool:
    return name == "style" and re.fullmatch(r"text-align:(?:left|right|center)", value or "") is not None


def live(text: str) -> list[str]:
    """The elements of a rendered text that do more than shape it."""
    return [*_parsed(_github(text)).live, *_parsed(_LINKIFY.render(text)).live]


def rendered_links(text: str) -> list[str]:
    """The same, and addresses outside code, which some page may make a link of."""
    github, other = _parsed(_github(text)), _parsed(_LINKIFY.render(text))
    return [*github.live, *github.bare, *other.live, *other.bare]


def _github(text: str) -> str:
    return str(cmarkgfm.github_flavored_markdown_to_html(text, _GITHUB))


def _parsed(rendered: str) -> _Page:
    page = _Page()
    page.feed(rendered)
    page.close()
    return page
