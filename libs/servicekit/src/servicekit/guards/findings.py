"""Findings in texts, and the detectors that make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Finding:
    """The characters `start..end` of a text are of this kind, as in `card`."""

    kind: str
    start: int
    end: int


class Detector(Protocol):
    """Looks for one sort of thing in texts. A model could be one, as the rules that we have are."""

    @property
    def name(self) -> str:
        """As in a key's rules and in metrics."""
        ...

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        ...
