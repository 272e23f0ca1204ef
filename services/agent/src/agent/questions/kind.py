"""What a question asks of a collection as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "de", "zh", "ar"]
"""The languages that fixed sentences of ours are in; all others are answered in English."""
Manner = Literal["greeting", "thanks", "farewell", "help"]


@dataclass(frozen=True, slots=True)
class Overview:
    """A greeting, thanks, a farewell, or "what can you do": asks nothing that a passage holds."""

    manner: Manner
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class DocumentList:
    """Which documents are about a topic."""

    topic: str
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class Summary:
    """What one document says; `name` is how the question calls it."""

    name: str
    language: Language = "en"
    sentences: int | None = None
    """How many sentences are asked for."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Several questions in one, or two things to compare."""

    asked: tuple[str, ...]
    """Each part as a question of its own."""
    labels: tuple[str, ...]
    """What each part is called in the answer."""
    language: Language = "en"
    compares: bool = False


Kind = Overview | DocumentList | Summary | Parts
