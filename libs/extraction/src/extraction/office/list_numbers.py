"""The numbers and bullets that Word shows before paragraphs; the file holds only the rules by which it counts them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

from extraction.office.ooxml import Package
from extraction.office.styles import Style, W, value

MAX_LEVELS = 9
_PLACE = re.compile(r"%([1-9])")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"))
_ROMAN_SMALL = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands before a paragraph."""

    label: str
    depth: int
    counted: bool
    """Whether it is a number rather than a bullet."""


@dataclass
class _Level:
    form: str
    pattern: str
    start: int


@dataclass
class _List:
    levels: dict[int, _Level]
    by_style: dict[str, int]
    counts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """The lists of one document, and how far each has been counted."""

    def __init__(self, lists: dict[str, _List], starts: dict[str, dict[int, int]]) -> None:
        self._lists = lists
        self._starts = starts
        """Where a list is told to begin anew, by its id and level, until that has happened."""

    @classmethod
    def of(cls, document: Package, part: str) -> Numbering:
        """The rules that the main part names."""
        name = document.related(part, "numbering")
        root = document.root(name) if name else etree.Element("none")
        abstract = {one.get(f"{W}abstractNumId"): _list(one) for one in root.iterfind(f"{W}abstractNum")}
        lists: dict[str, _List] = {}
        starts: dict[str, dict[int, int]] = {}
        for number in root.iterfind(f"{W}num"):
            identity = number.get(f"{W}numId", "")
            rules = abstract.get(value(number, "abstractNumId"))
            if rules is not None:
                lists[identity] = rules  # shared: lists of the same rules go on counting, unless told to begin anew
                starts[identity] = _restarts(number)
        return cls(lists, starts)

    def mark(self, paragraph: etree._Element, style: Style) -> Mark | None:
        """The next number or the bullet of a paragraph; nothing for one that is in no list. Call once for each."""
        own = paragraph.find(f"{W}pPr/{W}numPr")
        identity = _given(own, "numId") or _given(style.numbering, "numId")
        rules = self._lists.get(identity or "")
        if rules is None or identity is None:
            return None
        named = next((rules.by_style[name] for name in style.numbered_as if name in rules.by_style), 0)
        given = _given(own, "ilvl") or _given(style.numbering, "ilvl")
        depth = int(given) if given and given.isdigit() else named
        level = rules.levels.get(depth)
        if level is None:
            return Mark("-", depth, counted=False)
        self._count(rules, identity, depth, level)
        if level.form in ("bullet", "none") or not _PLACE.search(level.pattern):
            return Mark("-", depth, counted=False)
        return Mark(_PLACE.sub(lambda place: _shown(rules, int(place[1]) - 1, level), level.pattern), depth, True)

    def _count(self, rules: _List, identity: str, depth: int, level: _Level) -> None:
        restart = self._starts[identity].pop(depth, None)
        if restart is not None:
            rules.counts[depth] = restart
        else:
            rules.counts[depth] = rules.counts.get(depth, level.start - 1) + 1
        for deeper in range(depth + 1, MAX_LEVELS):
            rules.counts.pop(deeper, None)


def _list(element: etree._Element) -> _List:
    levels: dict[int, _Level] = {}
    by_style: dict[str, int] = {}
    for one in element.iterfind(f"{W}lvl"):
        depth = int(one.get(f"{W}ilvl", "0"))
        start = value(one, "start") or "1"
        form, pattern = value(one, "numFmt") or "decimal", value(one, "lvlText") or ""
        levels[depth] = _Level(form, pattern, int(start) if start.isdigit() else 1)
        if style := value(one, "pStyle"):
            by_style[style] = depth
    return _List(levels, by_style)


def _restarts(number: etree._Element) -> dict[int, int]:
    overrides = ((one.get(f"{W}ilvl", "0"), value(one, "startOverride")) for one in number.iterfind(f"{W}lvlOverride"))
    return {int(depth): int(start) for depth, start in overrides if start and start.isdigit()}


def _given(numbering: etree._Element | None, name: str) -> str | None:
    return value(numbering, name) if numbering is not None else None


def _shown(rules: _List, depth: int, level: _Level) -> str:
    outer = rules.levels.get(depth, level)
    return _number(rules.counts.get(depth, outer.start), outer.form)


def _number(count: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and count > 0:
        letter = chr(ord("a") + (count - 1) % 26) * min(1 + (count - 1) // 26, 20)
        return letter.upper() if form == "upperLetter" else letter
    if form in ("lowerRoman", "upperRoman") and 0 < count < 5000:
        roman = ""
        for worth, sign in (*_ROMAN, *_ROMAN_SMALL):
            roman += sign * (count // worth)
            count %= worth
        return roman.upper() if form == "upperRoman" else roman
    return f"{count:02}" if form == "decimalZero" else str(count)
