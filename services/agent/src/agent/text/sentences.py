"""Cuts text into sentences, list items, table rows and headings, each an exact span.

For every unit `text[unit.start:unit.end]` is its text; nothing is normalised, so a span can be quoted. Text from
files is often wrapped at a fixed width: a line break ends a unit only where the line is shorter than the wrap needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["sentence", "item", "row", "heading", "question"]
Span = tuple[int, int]

MAX_UNIT = 600
"""Longer units are cut at a clause or a space, in characters."""

LONGEST_ABBREVIATION = 60
"""Characters before a full stop that say whether it ends a sentence."""

QUESTION_MARKS = ("?", "？", "؟")
_RULE = re.compile(r"[\s|:=_*~+-]{3,}$")
_ITEM = re.compile(r"\s*(?:[-*•–‣▪●]|\d{1,2}[.)]|[a-z][.)]|\(\d{1,2}\)|\[[ xX]?\])\s+")
_NUMBERED = re.compile(r"\s*(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[A-Z]\.)\s+[A-Z]")
_ASSIGNMENT = re.compile(r"[^\s=]{1,100} ?[:+]?= ?[^\s=]")
"""`RETRIES = 3` in a program or a file of settings."""
_CELL_GAP = re.compile(r"\t|\S {2,}\S|\s\|\s")
_FIGURE_CELL = re.compile(r"[^\w\n]{0,3}(?:[A-Z]{3} ?)?[+-]?\d")
MAX_NAME = 60
"""Characters of a column's name."""
_TERMINAL = re.compile(r"[.!?…:;。！？：；؟۔।][\"'”’“»«）」』)\]*_]*$")
_BOUNDARY = re.compile(
    r"""(?<![.!?…؟۔।])(?P<end>[.!?…؟۔।]++["'”’“»«)\]]*+(?:[ ]?\[\d{1,3}\])*)\s+(?=["'“‘«»„¿¡(\[*_•-]*[^\W_])"""
    r"""|(?P<wide>[。！？]["'”’）」』]*)\s*(?=\S)"""
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|mr|mrs|ms|dr|prof|st|inc|ltd|co|corp|dept|est|jr|sr|incl|excl|cf|al|a\.m|p\.m"
    r"|u\.s|b\.v|n\.v)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_BEFORE_NUMBER = re.compile(r"\b(?:nos?|nr|figs?|sec|art|para|pp?|vol|ext|tel|max|min|ed|ch)\.$", re.IGNORECASE)
_AFTER_LOWER = re.compile(r"\b[a-z]+ [A-Z]\.$")
"""`… building B. There …` ends a sentence; `… John B. Smith …` does not."""
_DAY = re.compile(r"\b(?:am|ab|vom|zum|bis|seit|dem|den|der|des|und|oder) \d{1,2}\.$", re.IGNORECASE)
_MONTH = re.compile(
    r"(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b", re.IGNORECASE
)
"""German writes a day as an ordinal: `am 31. März`."""
_LEADERS = re.compile(r"(?:\.[ ]?){4,}$")
_FIGURE = re.compile(r"(?:[€$£¥]|[A-Z]{3})?[ ]?\d[\d.,]*[ ]?(?:[€$£¥]|[A-Z]{3})?[^\S\n]*(?=\n|$)")
"""`Coffee ........ 3.50`: dots that lead to a price or a page end no sentence."""
_LIKELY_END = re.compile(r"(?:\b(?:etc|inc|ltd|co|corp|a\.m|p\.m|u\.s|b\.v|n\.v)\.)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a text. `header` is the span of a row's header row; `heading` that of the nearest heading above."""

    start: int
    end: int
    kind: Kind
    block: int
    """Units of one paragraph, list item or table share a block."""
    header: Span | None = None
    heading: Span | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


def split(text: str) -> list[Unit]:
    """The units of a text in order; blanks, rules and list markers lie between them."""
    lines = _lines(text)
    width = max((len(line.text) for line in lines if not _is_row(line.text)), default=0)
    units: list[Unit] = []
    heading: Span | None = None
    at = block = 0
    while at < len(lines):
        line = lines[at]
        if line.blank or _is_rule(line.text):
            at += 1
            continue
        block += 1
        if _is_row(line.text):
            at, found = _table(text, lines, at, block)
        elif _is_heading(lines, at, width):
            heading = _trim(text, line.start, line.end)
            found = [Unit(*heading, "question" if text[: heading[1]].endswith(QUESTION_MARKS) else "heading", block)]
            at += 1
        else:
            at, found = _paragraph(text, lines, at, block, width)
        units.extend(replace(unit, heading=heading) for unit in found if unit.start < unit.end)
    return units


def sentences(text: str) -> list[Span]:
    """The sentences of running text, as spans without the white space between them."""
    spans: list[Span] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        end = match.end("end") if match.group("end") else match.end("wide")
        if match.group("end") and _goes_on(text, start, match.end("end"), match.end()):
            continue
        spans.append(_trim(text, start, end))
        start = match.end()
    spans.append(_trim(text, start, len(text)))
    return [span for span in spans if span[0] < span[1]]


def cells(row: str) -> list[str]:
    """The cells of a table row, trimmed; empty ones are kept in place."""
    bare = row.strip()
    if "|" in bare:
        framed = bare.startswith("|") and bare.endswith("|")
        return [cell.strip() for cell in (bare.strip("|") if framed else bare).split("|")]
    return [cell.strip() for cell in re.split(r"\t| {2,}", bare)]


def _goes_on(text: str, start: int, end: int, following: int) -> bool:
    head, following_character = text[max(start, end - LONGEST_ABBREVIATION) : end], text[following : following + 1]
    if _BEFORE_NUMBER.search(head):
        return following_character.isdigit() or following_character.islower()
    if _DAY.search(head) and _MONTH.match(text, following):
        return True
    if head.endswith(("..", ". .")) and _LEADERS.search(head[-8:]):
        return _FIGURE.match(text, following) is not None
    if not _ABBREVIATION.search(head) or _AFTER_LOWER.search(head):
        return False
    return not (_LIKELY_END.search(head) and following_character.isupper())


def _lines(text: str) -> list[_Line]:
    lines: list[_Line] = []
    start = 0
    for raw in text.split("\n"):
        lines.append(_Line(start, start + len(raw), raw))
        start += len(raw) + 1
    return lines


def _is_rule(line: str) -> bool:
    return bool(_RULE.fullmatch(line))


def _is_row(line: str) -> bool:
    bare = line.strip()
    if bare.startswith("|") and bare.count("|") > 1:
        return True
    if _ITEM.match(line):
        line = line[_ITEM.match(line).end() :]  # type: ignore[union-attr]  # matched just above
    return bool(_CELL_GAP.search(line.strip()))


def _is_heading(lines: list[_Line], at: int, width: int) -> bool:
    """A short line of its own that does not end like a sentence: marked, underlined, numbered, or set apart."""
    line = lines[at].text.strip()
    if line.startswith("#") and line.lstrip("#").startswith(" "):
        return True
    following = lines[at + 1] if at + 1 < len(lines) else None
    if following and not following.blank and _is_rule(following.text) and len(line) <= 100:
        return True
    if (
        len(line) > 90
        or (_TERMINAL.search(line) and not line.endswith(QUESTION_MARKS))
        or (_ITEM.match(line + " ") and not line[0].isdigit())
        or _ASSIGNMENT.match(line)
    ):
        return False
    apart = at == 0 or lines[at - 1].blank
    alone = following is None or following.blank
    letters = [character for character in line if character.isalpha()]
    capitals = bool(letters) and all(character.isupper() for character in letters) and len(letters) > 3
    if apart and alone and not line.endswith(QUESTION_MARKS) and _is_above_table(lines, at):
        return len(line.split()) <= 14
    if apart and alone and following is not None:
        return len(line.split()) <= 14 and (len(line) < 0.8 * width or capitals or line.endswith(QUESTION_MARKS))
    return (capitals and apart) or (bool(_NUMBERED.match(line)) and len(line) < 0.6 * width and len(line.split()) <= 8)


def _is_above_table(lines: list[_Line], at: int) -> bool:
    """Whether only a blank line parts a line from a table, whose title it then is."""
    return at + 2 < len(lines) and lines[at + 1].blank and _is_row(lines[at + 2].text)


def _table(text: str, lines: list[_Line], at: int, block: int) -> tuple[int, list[Unit]]:
    first, rows, ruled = at, [], False
    while at < len(lines) and not lines[at].blank and (_is_row(lines[at].text) or _is_rule(lines[at].text)):
        if _is_rule(lines[at].text):
            ruled = ruled or at == first + 1
        else:
            rows.append(_trim(text, lines[at].start, lines[at].end))
        at += 1
    if len(rows) == 1:
        return at, [Unit(*rows[0], "row", block)]
    header = rows[0] if ruled or _looks_like_header([text[slice(*row)] for row in rows]) else None
    units = [Unit(*row, "row", block, header=header) for row in rows if row != header]
    if header is not None:
        units.insert(0, Unit(*header, "heading", block))
    return at, units


def _looks_like_header(rows: list[str]) -> bool:
    """Column names: short, and hardly a digit; above a column of figures, or each with a capital and fewer words. Of
    two columns only above rows with digits."""
    first, *below = rows
    parts = [cell for cell in cells(first) if cell]
    digits = sum(map(str.isdigit, first))
    if len(parts) < 2 or digits > 2 or any(len(part) > MAX_NAME or len(part.split()) > 8 for part in parts):
        return False
    if _is_above_figures(first, below):
        return True
    if any(len(part) > 30 or len(part.split()) > 4 or part[0].islower() for part in parts):
        return False
    with_digits = sum(any(map(str.isdigit, row)) for row in below)
    return len(parts) > 2 or (digits == 0 and with_digits * 2 >= len(below))


def _is_above_figures(first: str, below: list[str]) -> bool:
    """Whether a first row has words alone, and in some column all rows below it, two or more, have a figure."""
    names = cells(first)
    columns = [parts for row in below if len(parts := cells(row)) == len(names)]
    if any(map(str.isdigit, first)) or len(columns) < max(2, len(below) // 2):
        return False
    return any(name and all(_FIGURE_CELL.match(row[at]) for row in columns) for at, name in enumerate(names))


def _paragraph(text: str, lines: list[_Line], at: int, block: int, width: int) -> tuple[int, list[Unit]]:
    first = at
    kind: Kind = "item" if _ITEM.match(lines[at].text) else "sentence"
    at += 1
    while at < len(lines) and _continues(lines, at, width):
        at += 1
    marker = _ITEM.match(lines[first].text)
    start = lines[first].start + (marker.end() if marker else 0)
    body = text[start : lines[at - 1].end]
    units: list[Unit] = []
    for begin, end in sentences(body):
        for cut_begin, cut_end in _cut(body, begin, end):
            asks = body[cut_begin:cut_end].rstrip("\"'”’）」』)*_").endswith(QUESTION_MARKS)
            units.append(Unit(start + cut_begin, start + cut_end, "question" if asks else kind, block))
    return at, units


def _continues(lines: list[_Line], at: int, width: int) -> bool:
    """Whether a line goes on with the paragraph of the line before it."""
    line, before = lines[at], lines[at - 1]
    if line.blank or _is_rule(line.text) or _is_row(line.text) or _ITEM.match(line.text):
        return False
    if line.text.lstrip().startswith("#"):
        return False
    word = line.text.split(None, 1)[0]
    if word[0].islower() or before.text.rstrip().endswith((",", "-", "–", "/", "(")):
        return True
    full = len(before.text.rstrip()) + 1 + len(word) > 0.82 * width
    return full and len(before.text) >= 40


def _cut(text: str, start: int, end: int) -> list[Span]:
    spans: list[Span] = []
    while end - start > MAX_UNIT:
        window = text[start : start + MAX_UNIT]
        at = max(window.rfind("; "), window.rfind("\n"))
        at = at if at > MAX_UNIT // 3 else window.rfind(" ")
        at = start + (at + 1 if at > 0 else MAX_UNIT)
        spans.append(_trim(text, start, at))
        start = at
    spans.append(_trim(text, start, end))
    return [span for span in spans if span[0] < span[1]]


def _trim(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
