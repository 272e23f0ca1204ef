"""What of a chunk may be asked about: single sentences and rows of tables that say something by themselves.

A span is characters of the chunk's text. Headings, sentences that speak of something said before ("It takes three
days") and lines that are none are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEAST_WORDS, MOST_WORDS = 5, 45
MOST_CHARS = 600
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_NUMBER_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty"
NUMBER = rf"(?:[±+-]?\d+(?:[.,:]\d+)*|\b(?:{_NUMBER_WORDS})\b)"
MONEY = r"(?:(?:EUR|USD|GBP|CHF|€|\$|£)\s?\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*\s?(?:EUR|USD|GBP|CHF|€|euros?|dollars?))"
_NO_UNITS = "of|and|or|to|in|for|at|on|the|a|an|by|is|are|with|from|as|if|per|that|which|then|until|after|before|when"
_UNIT = rf"(?:\s(?!(?:{_NO_UNITS})\b)[^\W\d_][\w°/-]*|\s?(?:%|°C|°))"
_KEYS = (
    re.compile(MONEY),
    re.compile(rf"\b\d{{1,2}} (?:{MONTHS})(?: \d{{4}})?\b"),
    re.compile(rf"{NUMBER}\s?(?:%|percent\b|°C)"),
    re.compile(rf"{NUMBER}{_UNIT}{{0,2}}", re.IGNORECASE),
)
"""What a sentence tells: an amount, a day, a share, a number with its unit."""
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w-]+(?: (?:[A-Z][\w-]+|\d+))*")
_REFERS = re.compile(
    r"(?:it|its|they|them|their|this|these|those|that|he|she|his|her|such|there|here|then|so|but|and|or|also|instead|"
    r"otherwise|however|therefore|both|neither|the (?:former|latter|same|above|following|remaining|other|rest))\b",
    re.IGNORECASE,
)
_TALKS_BACK = re.compile(r"\b(?:see (?:section|page|table|figure)|as (?:above|described|follows)|listed below)\b", re.I)
_ITEM = re.compile(r"\s*(?:(?:[-*•–]|\[.?\]|\d{1,3}[.)]|[a-z]\))\s+)+")
_RULER = re.compile(r"\s*(?:[=_*~#-]\s*){3,}$")
_END = re.compile(r"[.!?][\"'”’)]?(?=\s|$)")
_SHORT = re.compile(r"(?:^|[\s(])(?:e\.g|i\.e|approx|Nos?|Dr|Mr|Mrs|Ms|St|B\.V|Inc|Ltd|vs|cf|ca|[A-Z])\.$")
"""Words whose point ends no sentence."""
_TERM = re.compile(r"\*{0,2}([A-Z][\w /-]{1,40}?)\*{0,2}\s[–—-]\s(.{20,540}?[.!?])(?:\s|$)", re.S)


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence, a definition or a row, and what it tells."""

    start: int
    end: int
    text: str
    """With single spaces."""
    key: str | None = None
    """What of it would answer a question: a number with its unit, a day, a name. Null: all of it."""
    term: str | None = None
    """What it defines."""
    row: tuple[tuple[str, str], ...] = ()
    """A row's cells with their headers."""


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int
    kind: str


def spans_of(text: str) -> list[Span]:
    """In the order of the text."""
    found: list[Span] = []
    header: list[str] = []
    for block in _blocks(text):
        if block.kind == "row":
            cells = [cell.strip() for cell in text[block.start : block.end].strip().strip("|").split("|")]
            if header and (span := _row(text, block, header, cells)):
                found.append(span)
            header = header or (cells if block.end - block.start <= MOST_CHARS else [""])
        else:
            header = []
            found.extend(_sentences(text, block))
    return found


def key_of(text: str) -> str | None:
    """The first number with its unit, day or amount of a sentence, or else a name in its second half: what comes
    first is what it speaks of."""
    matches = [match for pattern in _KEYS if (match := pattern.search(text))]
    if matches:
        return min(matches, key=lambda match: (match.start(), -len(match.group()))).group().strip(" ,")
    name = _NAME.search(text, len(text) // 2)
    return name.group() if name else None


def _blocks(text: str) -> Iterator[_Block]:
    """Paragraphs, items of lists and rows. A line that is only a heading or a ruler parts them."""
    at, begin = 0, -1
    for line in text.splitlines(keepends=True):
        start, at = at, at + len(line)
        bare = line.strip()
        is_row = bare.startswith("|") and not _is_separator(bare)
        item = _ITEM.match(line)
        if begin >= 0 and (not bare or is_row or item or bare.startswith(("#", "|")) or _RULER.match(bare)):
            yield _Block(begin, start, "text")
            begin = -1
        if is_row:
            yield _Block(start, at, "row")
        elif bare and not bare.startswith(("#", "|")) and not _RULER.match(bare) and begin < 0:
            begin = start + (item.end() if item else 0)
    if begin >= 0:
        yield _Block(begin, at, "text")


def _is_separator(line: str) -> bool:
    """Whether it parts a table's header from its rows: `| --- | :--: |`. By hand, in linear time, since a document may
    have any line: a pattern whose parts may all be empty tries every way to part a run of dashes."""
    cells = (cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|"))
    bars = (cell.removeprefix(":").removesuffix(":") for cell in cells)
    return all(len(bar) > 1 and not bar.strip("-") for bar in bars)


def _sentences(text: str, block: _Block) -> Iterator[Span]:
    paragraph = text[block.start : block.end]
    if (term := _TERM.match(paragraph)) is not None:
        end = block.start + term.end(2)
        yield Span(block.start, end, plain(text[block.start : end]), plain(term[2]), term[1].strip())
        return
    begin = 0
    for point in _END.finditer(paragraph):
        if _SHORT.search(paragraph[max(0, point.end() - 10) : point.end()]):
            continue
        start, begin = begin + _indent(paragraph, begin), point.end()
        said = plain(paragraph[start:begin]) if begin - start <= MOST_CHARS else ""
        if _says_something(said):
            yield Span(block.start + start, block.start + begin, said, key_of(said))


def _indent(text: str, start: int) -> int:
    """Blanks before a sentence."""
    at = start
    while at < len(text) and text[at].isspace():
        at += 1
    return at - start


def _says_something(said: str) -> bool:
    count = len(said.split())
    if not LEAST_WORDS <= count <= MOST_WORDS or said.endswith("?") or not said[0].isupper():
        return False
    return not _REFERS.match(said) and not _TALKS_BACK.search(said) and "|" not in said


def _row(text: str, block: _Block, header: Sequence[str], cells: Sequence[str]) -> Span | None:
    if len(cells) != len(header) or len(cells) < 2 or not cells[0] or not all(header):
        return None
    end = block.start + len(text[block.start : block.end].rstrip())
    said = plain(text[block.start : end])
    if len(said) > MOST_CHARS:
        return None
    return Span(block.start, end, said, row=tuple(zip(header, cells, strict=True)))


def plain(text: str) -> str:
    """With single spaces and without marks of emphasis."""
    return " ".join(text.replace("**", "").replace("__", "").split())
