"""The values of a filled-in form, and the span of a source that says each of them.

A value is seldom a sentence: "27" is supported by a passage that has the number and speaks of what was asked or of what
the field is called; `true` by one that says what the field is called, `false` by one that denies it. Of a table only
the row counts that speaks of the same thing: a price of the next row would be true of another product.
"""

from __future__ import annotations

import re
from calendar import month_name
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agent.grounding.agreement import agrees, has_facts
from agent.grounding.citations import Support
from agent.grounding.support import ASSERTING, MIN_OVERLAP_ALONE, wording_held
from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage
from agent.text.denials import is_negated
from agent.text.words import TOKEN, form_set, forms, has_digit, is_content, names, spaced

Path = tuple[str | int, ...]
MAX_VALUES = 200
"""Of one form; what is beyond them counts as unsupported."""
RUNNING_TEXT = 5
"""Content words."""
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True)
class Value:
    """A string, number or truth value, and where it stands."""

    path: Path
    content: str | int | float | bool
    beside: tuple[str, ...] = ()
    """The other strings of its object."""

    @cached_property
    def field(self) -> str:
        """What it is called, in words."""
        return " ".join(spaced(step) for step in self.path if isinstance(step, str))

    @cached_property
    def said(self) -> str:
        """What a source must have in it: the value, or of a truth value what is true or not."""
        if isinstance(self.content, bool):
            return self.field
        if isinstance(self.content, float) and self.content.is_integer():
            return str(int(self.content))
        text = str(self.content)
        if date := _DATE.fullmatch(text):
            year, month, day = map(int, date.groups())
            return f"{day} {month_name[month]} {year}" if 1 <= month <= 12 else text
        return text if " " in text else text.replace("_", " ")

    @property
    def is_running_text(self) -> bool:
        """Whether it is a model's own wording, which is checked as sentences are."""
        return isinstance(self.content, str) and sum(map(is_content, TOKEN.findall(self.said))) >= RUNNING_TEXT


def values(value: Any) -> list[Value]:
    """Those of a JSON value that are not null, in order."""
    return list(_values((), value, ()))


def pointer(path: Path) -> str:
    """The path as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def find_value_support(value: Value, evidence: Evidence) -> Support | None:
    """The passage that says it and shares most with what was asked; None if no passage does both."""
    about = form_set(value.field).union(*(term.forms for term in evidence.question.focus), *map(form_set, value.beside))
    ranked = [one.passage for one in evidence.ranked]
    seen = set(map(id, ranked))
    keys = _row_keys(value, evidence)
    all_found = (*ranked, *(other for other in evidence.found if id(other) not in seen))
    best: Support | None = None
    most = 0
    for passage in _most_about(form_set(value.field), [one for one in all_found if _is_row_of(one, keys)]):
        shared = len(about & passage.near_forms)
        if shared > most and _says(passage, value):
            best, most = Support(passage.hit, passage.span, 1.0), shared
    return best


def without(value: Any, nulls: Collection[Path], left_out: Collection[Path], path: Path = ()) -> Any:
    """The value with null at some places, and without others."""
    if path in nulls:
        return None
    if isinstance(value, dict):
        places = {name: (*path, name) for name in value}
        return {name: without(value[name], nulls, left_out, at) for name, at in places.items() if at not in left_out}
    if isinstance(value, list):
        kept = [((*path, number), one) for number, one in enumerate(value)]
        return [without(one, nulls, left_out, at) for at, one in kept if at not in left_out]
    return value


def _most_about(field: frozenset[str], passages: Sequence[Passage]) -> list[Passage]:
    """Those that have most of what a field is called: of the notice period and the trial period only one is it."""
    shared = [len(field & one.near_forms) if one.unit.kind in ASSERTING else -1 for one in passages]
    most = max(shared, default=0)
    return [one for one, count in zip(passages, shared, strict=True) if count == most]


def _says(passage: Passage, value: Value) -> bool:
    if passage.unit.kind not in ASSERTING or form_set(value.said).isdisjoint(passage.forms):
        return False
    held = wording_held(value.said, passage.in_context, None)
    if sum(held) / len(held) < MIN_OVERLAP_ALONE:
        return False
    if value.content is True:
        return agrees(value.said, passage.text, passage.context)
    return is_negated(passage.text) if value.content is False else has_facts(value.said, passage.text, passage.context)


def _values(path: Path, value: Any, beside: tuple[str, ...]) -> Iterator[Value]:
    if isinstance(value, dict):
        strings = {name: one for name, one in value.items() if isinstance(one, str)}
        for name, one in value.items():
            yield from _values((*path, name), one, tuple(text for other, text in strings.items() if other != name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _values((*path, number), one, beside)
    elif value is not None:
        yield Value(path, value, beside)


def _row_keys(value: Value, evidence: Evidence) -> frozenset[str]:
    """The forms of names and codes, of the question and of the same object, that are cells of rows here."""
    named = [term.text for term in evidence.question.terms if term.distinctive]
    named += [word for text in value.beside for word in {*names(f"x {text}"), *filter(has_digit, text.split())}]
    known = frozenset[str]().union(*(passage.forms for passage in _rows(evidence.found)))
    return frozenset(form for word in named for form in forms(word)) & known


def _is_row_of(passage: Passage, keys: frozenset[str]) -> bool:
    return passage.unit.kind != "row" or not keys or not keys.isdisjoint(passage.near_forms)


def _rows(found: Sequence[Passage]) -> Iterator[Passage]:
    return (passage for passage in found if passage.unit.kind == "row")
