"""The texts of a JSON value: all of them but references, taken out, looked at together and put back."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from contracts.models.catalog import RerankRequest
from contracts.models.chat import ChatRequest
from servicekit.guards.findings import Detector, Finding
from servicekit.guards.masks import MASK, masked

Json = Any
REFERENCES = frozenset(("id", "tool_call_id", "type", "role"))
"""Fields that name something for the caller, and would name nothing if masked. No others are left out."""
OUR_REFERENCES = REFERENCES | {
    "object", "model", "name", "finish_reason", "status", "url", "collection", "collections", "document_id", "chunk_id",
    "run_id", "thread_id", "call_id", "request_id", "trace_id", "agent", "system_fingerprint", "created_at",
    "started_at", "finished_at", "upstream",
}  # fmt: skip
"""The same of answers."""
OTHERS_NAMES = frozenset(("arguments", "metadata", "parameters", "schema", "output_schema"))
"""Fields whose objects have names that a caller, a document or a model gave: no field in them is a reference."""
_REFERENCE = re.compile(r"[\w.:/#?=&%+~,;-]{0,256}")
"""What a reference looks like; anything else in such a field is text."""
_MEDIA = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/_=-]*")
"""Pictures and sounds; not any text that begins like one."""
FIELD_NAMES = frozenset((
    *ChatRequest.model_fields, *RerankRequest.model_fields, "input", "content", "role", "type", "text", "id", "name",
    "function", "arguments", "tool_calls", "tool_call_id", "tools", "tool_choice", "parameters", "description",
    "response_format", "image_url", "url", "metadata", "user", "params", "question", "instructions", "decisions",
    "action", "message",
))  # fmt: skip
"""Keys that the API itself has: no characters of the caller's."""
SHORTEST = 6
"""Characters that a finding has at least."""
LONG_NUMBER = 10**12
"""From here on a number may be a card's."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: its kind, and its part of each text that it goes through."""

    kind: str
    parts: tuple[tuple[int, Finding], ...]


def outside(found: Iterable[Found], hidden: Iterable[Found]) -> list[Found]:
    """Those that are not wholly within what is hidden already."""
    known: dict[int, list[Finding]] = {}
    for one in hidden:
        for at, part in one.parts:
            known.setdefault(at, []).append(part)
    if not known:
        return list(found)
    return [one for one in found if not all(_is_within(part, known.get(at, ())) for at, part in one.parts)]


def _is_within(part: Finding, known: Iterable[Finding]) -> bool:
    return any(one.start <= part.start and part.end <= one.end for one in known)


@dataclass(frozen=True, slots=True)
class Texts:
    """The values of a JSON value in their order, and its different keys."""

    values: Sequence[str]
    keys: Sequence[str]
    references: frozenset[str]

    @classmethod
    def of(cls, value: Json, references: frozenset[str] = REFERENCES) -> Texts:
        """All texts of a value."""
        values: list[str] = []
        keys: dict[str, None] = {}
        _collect("", value, references, values, keys)
        return cls(values, list(keys), references)

    @property
    def characters(self) -> int:
        """How much there is to read; keys that the API itself has are no text."""
        return sum(map(len, self.values)) + sum(len(key) for key in self.keys if key not in FIELD_NAMES)

    def find(self, guard: Detector, *, joined: bool) -> list[Found]:
        """What a guard finds, with `joined` also what goes from one text into those that follow it."""
        alone = [guard.find(text) if len(text) >= SHORTEST else [] for text in (*self.values, *self.keys)]
        found = [Found(one.kind, ((at, one),)) for at, findings in enumerate(alone) for one in findings]
        if joined and len(self.values) > 1:
            found += self._across(guard, alone)
        return found

    def masked(self, found: Iterable[Found]) -> Texts:
        """The texts with all of it masked."""
        by_text: dict[int, list[Finding]] = {}
        for one in found:
            for at, part in one.parts:
                by_text.setdefault(at, []).append(part)
        texts = [masked(text, by_text.get(at, ())) for at, text in enumerate((*self.values, *self.keys))]
        return Texts(texts[: len(self.values)], texts[len(self.values) :], self.references)

    def emptied(self, found: Iterable[Found]) -> Texts:
        """The texts without each that something was found in."""
        gone = {at for one in found for at, _ in one.parts}
        texts = ["" if at in gone else text for at, text in enumerate((*self.values, *self.keys))]
        return Texts(texts[: len(self.values)], texts[len(self.values) :], self.references)

    def put_back(self, value: Json, before: Texts) -> Json:
        """The value from which `before` was taken, with these texts."""
        keys = dict(zip(before.keys, self.keys, strict=True))
        return _rebuilt("", value, self.references, iter(self.values), keys)

    def _across(self, guard: Detector, alone: Sequence[Sequence[Finding]]) -> Iterator[Found]:
        """A number whose groups are in two messages, an address in two parts; nothing that was found already."""
        taken = dict(enumerate(alone))
        for glue in ("", " "):
            starts = list(accumulate((len(text) + len(glue) for text in self.values), initial=0))
            for one in guard.find(glue.join(self.values)):
                parts = tuple(self._parts(one, starts))
                if len(parts) > 1 and not any(_overlaps(part, taken[at]) for at, part in parts):
                    taken |= {at: sorted([*taken[at], part], key=lambda each: each.start) for at, part in parts}
                    yield Found(one.kind, parts)

    def _parts(self, found: Finding, starts: Sequence[int]) -> Iterator[tuple[int, Finding]]:
        at = bisect_right(starts, found.start) - 1
        while at < len(self.values) and starts[at] < found.end:
            start, end = max(0, found.start - starts[at]), min(len(self.values[at]), found.end - starts[at])
            if start < end:
                yield at, Finding(found.kind, start, end)
            at += 1


def _overlaps(part: Finding, found: Sequence[Finding]) -> bool:
    """Whether a finding has a part in common with one of others, which are in order."""
    after = bisect_right(found, part.start, key=lambda each: each.start)
    return (after > 0 and found[after - 1].end > part.start) or (after < len(found) and found[after].start < part.end)


def is_reference(name: str, text: str, references: frozenset[str]) -> bool:
    """Whether a text is no text, but names something or is a picture."""
    if name in references and _REFERENCE.fullmatch(text):
        return True
    return text.startswith("data:") and _MEDIA.fullmatch(text) is not None


def references_in(name: str, references: frozenset[str]) -> frozenset[str]:
    """Those that hold for the fields of an object that is called so."""
    return frozenset() if name in OTHERS_NAMES else references


def _collect(name: str, value: Json, references: frozenset[str], values: list[str], keys: dict[str, None]) -> None:
    if isinstance(value, str):
        if not is_reference(name, value, references):
            values.append(value)
    elif isinstance(value, Mapping):
        within = references_in(name, references)
        for key, item in value.items():
            keys[key] = None
            _collect(key, item, within, values, keys)
    elif isinstance(value, list):
        for item in value:
            _collect(name, item, references, values, keys)
    elif _is_long_number(value):
        values.append(str(value))


def _rebuilt(name: str, value: Json, references: frozenset[str], new: Iterator[str], keys: Mapping[str, str]) -> Json:
    if isinstance(value, str):
        return value if is_reference(name, value, references) else next(new)
    if isinstance(value, Mapping):
        rebuilt: dict[str, Json] = {}
        within = references_in(name, references)
        for key, item in value.items():
            rebuilt[_free(keys[key], rebuilt)] = _rebuilt(key, item, within, new, keys)
        return rebuilt
    if isinstance(value, list):
        return [_rebuilt(name, item, references, new, keys) for item in value]
    if _is_long_number(value):
        text = next(new)
        return value if text == str(value) else text
    return value


def _is_long_number(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LONG_NUMBER


def _free(key: str, taken: Mapping[str, Json]) -> str:
    """The key, longer where two were masked alike."""
    while key in taken:
        key += MASK
    return key
