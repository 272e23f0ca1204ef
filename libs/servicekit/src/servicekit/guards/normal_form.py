"""The form in which guards read a text: one way to write a digit, a space, a hyphen, and nothing that can't be seen."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from servicekit.guards.findings import Finding

_FULL_WIDTH = range(0xFF01, 0xFF5F)
_TO_ASCII = 0xFEE0
_INVISIBLE, _SPACE, _DASH, _DIGIT = "Cf", "Zs", "Pd", "Nd"


class _Table(dict[int, str | None]):
    """For `str.translate`: each character's form, worked out once."""

    def __missing__(self, code: int) -> str | None:
        self[code] = form = _form(chr(code))
        return form


def _form(character: str) -> str | None:
    category = unicodedata.category(character)
    if category == _INVISIBLE:
        return None
    if ord(character) in _FULL_WIDTH:
        return chr(ord(character) - _TO_ASCII)
    if category == _DIGIT:
        return str(unicodedata.decimal(character))
    if category == _SPACE:
        return " "
    return "-" if category == _DASH else character


_FORMS = _Table()


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A text in normal form, and where its characters stand in the text as it came."""

    text: str
    places: list[int] | None
    """Of each character; None where all stand where they stood."""
    length: int
    """Of the text as it came."""

    @classmethod
    def of(cls, text: str) -> NormalForm:
        """Most texts are in normal form already."""
        if text.isascii():
            return cls(text, None, len(text))
        normal = text.translate(_FORMS)
        if len(normal) == len(text):
            return cls(normal, None, len(text))
        return cls(normal, [at for at, character in enumerate(text) if _FORMS[ord(character)] is not None], len(text))

    def place(self, at: int) -> int:
        """Where a character of the normal form stands in the text as it came; its length for the end."""
        if self.places is None:
            return at
        return self.places[at] if at < len(self.places) else self.length

    def back(self, finding: Finding) -> Finding:
        """A finding, with its places in the text as it came."""
        if self.places is None:
            return finding
        return Finding(finding.kind, self.places[finding.start], self.places[finding.end - 1] + 1)


def found_in(text: str, find: Callable[[str], Iterable[Finding]]) -> list[Finding]:
    """What is found in a text's normal form, from left to right, none within another, by places in the text itself."""
    form = NormalForm.of(text)
    return [form.back(finding) for finding in disjoint(find(form.text))]


def disjoint(findings: Iterable[Finding]) -> list[Finding]:
    """From left to right; of two that overlap the longer, earlier one."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda one: (one.start, -one.end)):
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept
