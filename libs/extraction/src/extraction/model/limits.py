"""What reading one document may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one document, those of all documents within it included."""

    max_pages: int
    max_text_chars: int
