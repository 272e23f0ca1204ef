"""What the paragraph styles of a DOCX mean: headings, lists, numbering; each also by the style that it is based on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from extraction.office.ooxml import Package

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MAX_BASED_ON = 10
BODY_LEVEL = 9
"""The outline level of what is no heading."""
_HEADING = re.compile(r"heading ([1-9])", re.I)


@dataclass(frozen=True, slots=True)
class Style:
    """A style's meaning."""

    level: int = 0
    """Of a heading, from 1; 0 for what is none."""
    listed: bool = False
    """Whether it is made for items of a list."""
    numbering: etree._Element | None = None
    """Its `numPr`."""
    numbered_as: tuple[str, ...] = ()
    """The styles whose levels a numbering may name: its own id and those that it is based on."""


class Styles:
    """The styles of one document."""

    def __init__(self, elements: dict[str, etree._Element], default: str | None) -> None:
        self._elements = elements
        self._default = default
        self._known: dict[str | None, Style] = {}

    @classmethod
    def of(cls, document: Package, part: str) -> Styles:
        """Those that the main part names; none at all if it names none."""
        name = document.related(part, "styles")
        found = list(document.root(name).iterfind(f"{W}style")) if name else []
        paragraphs = [style for style in found if style.get(f"{W}type", "paragraph") == "paragraph"]
        default = next((one.get(f"{W}styleId") for one in paragraphs if one.get(f"{W}default") in ("1", "true")), None)
        return cls({style.get(f"{W}styleId", ""): style for style in paragraphs}, default)

    def style(self, paragraph: etree._Element) -> Style:
        """A paragraph's style; its own outline level, if it has one, decides on the heading."""
        named = value(paragraph, "pPr", "pStyle") or self._default
        if named not in self._known:
            self._known[named] = self._meaning(named)
        style = self._known[named]
        own = _outline(paragraph)
        return style if own is None or style.level else Style(own, style.listed, style.numbering, style.numbered_as)

    def _meaning(self, name: str | None) -> Style:
        level, numbering = 0, None
        chain: list[str] = []
        own = self._name(name)
        while name in self._elements and len(chain) < MAX_BASED_ON:
            element = self._elements[name or ""]
            chain.append(name or "")
            level = level or self._level(name, element)
            if numbering is None:
                numbering = element.find(f"{W}pPr/{W}numPr")
            name = value(element, "basedOn")
        return Style(level, own.startswith("List") and own != "List Paragraph", numbering, tuple(chain))

    def _level(self, name: str | None, element: etree._Element) -> int:
        shown = self._name(name)
        heading = _HEADING.fullmatch(shown)
        if heading or shown == "Title":
            return int(heading[1]) if heading else 1
        return _outline(element) or 0

    def _name(self, name: str | None) -> str:
        element = self._elements.get(name or "")
        return (value(element, "name") or "") if element is not None else ""


def value(element: etree._Element, *path: str) -> str | None:
    """The `val` of what is found at a path of names."""
    found = element.find("/".join(f"{W}{name}" for name in path))
    return found.get(f"{W}val") if found is not None else None


def _outline(element: etree._Element) -> int | None:
    level = value(element, "pPr", "outlineLvl")
    return int(level) + 1 if level and level.isdigit() and int(level) < BODY_LEVEL else None
