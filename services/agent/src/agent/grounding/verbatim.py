"""Sentences that stand in a source word for word: no rule has to say whether it supports them (decision 0134).

Compared are words in a row: space, quotation marks, case, punctuation, list markers and characters that nobody sees
say nothing. Numbers with their separators, signs before them, and signs of money and shares are words.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from agent.grounding.citations import Support, can_cite
from agent.relevance.passages import Passage
from agent.text.denials import is_negated
from agent.text.sentences import Span, Unit, split
from contracts.retrieval.search import Hit

FEWEST = 4
"""Words of a part of a sentence of the source: fewer stand in any text by chance."""
KEPT = 256
"""Texts of chunks whose words are kept: the next sentence, or question, often has the same."""
_UNSEEN = "\u00ad\u200b-\u200d\u2060\ufeff"
_ALONE = "\u3040-\u30ff\u3400-\u9fff"
"""Written without spaces, so that each character is a word."""
_WORD = re.compile(
    rf"[{_ALONE}]|[%€$£¥°§]|(?<![^\s(])[-−–](?=\d)"
    rf"|(?![{_ALONE}])[^\W_](?:[{_UNSEEN}]*(?![{_ALONE}])[^\W_]|(?<=\d)[.,:/](?=\d))*"
)
_INVISIBLE = re.compile(f"[{_UNSEEN}]")
_MARKER = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+|\[\d{1,3}\]")
_DASHES = str.maketrans("−–", "--")


@dataclass(frozen=True)
class _Words:
    """The words of a text in one line, each between blanks; where each begins there, and its span in the text."""

    line: str
    begins: list[int]
    spans: list[Span]

    @classmethod
    def of(cls, text: str) -> _Words:
        begins, spans, parts, at = list[int](), list[Span](), list[str](), 0
        for found in _WORD.finditer(text):
            word = unicodedata.normalize("NFKC", _INVISIBLE.sub("", found[0])).casefold().translate(_DASHES)
            begins.append(at)
            spans.append(found.span())
            parts.append(word)
            at += len(word) + 1
        return cls(f" {' '.join(parts)} ", begins, spans)


@dataclass(frozen=True)
class _Source:
    words: _Words
    units: list[Unit]


def find_verbatim(sentence: str, found: Iterable[Passage]) -> Support | None:
    """Where a sentence stands in the sources, the best one first: the whole sentences of the source; None if nowhere.

    A part of one counts where it has `FEWEST` words and nothing is denied around it: "it is not so that …".
    """
    said = _Words.of(_MARKER.sub(" ", sentence))
    if not said.spans:
        return None
    hits: dict[tuple[str, str], Hit] = {}
    for one in found:
        hits.setdefault((one.hit.collection, one.hit.chunk_id), one.hit)
    for hit in hits.values():
        span = _find(said, hit.text)
        if span is not None and can_cite(support := Support(hit, span, 1.0)):
            return support
    return None


def _find(said: _Words, text: str) -> Span | None:
    source = _source(text)
    at = source.words.line.find(said.line)
    while at >= 0:
        first = bisect_right(source.words.begins, at) - 1
        span = _units(source, first, first + len(said.spans), text)
        if span is not None:
            return span
        at = source.words.line.find(said.line, at + 1)
    return None


def _units(source: _Source, first: int, end: int, text: str) -> Span | None:
    """The units that these words stand in, if the words may stand for them."""
    spans = source.words.spans
    begin, stop = spans[first][0], spans[end - 1][1]
    units = [unit for unit in source.units if unit.start < stop and begin < unit.end]
    if not units or begin < units[0].start or stop > units[-1].end:
        return None
    whole = units[0].start, units[-1].end
    opens = first == 0 or spans[first - 1][1] <= whole[0]
    closes = end == len(spans) or whole[1] <= spans[end][0]
    if opens and closes:
        return whole
    together = len(units) == 1 or all((one.kind, one.block) == ("sentence", units[0].block) for one in units)
    around = f"{text[whole[0] : begin]} {text[stop : whole[1]]}"
    return whole if together and end - first >= FEWEST and not is_negated(around) else None


@lru_cache(maxsize=KEPT)
def _source(text: str) -> _Source:
    return _Source(_Words.of(text), split(text))
