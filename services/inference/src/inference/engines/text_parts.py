"""Long texts in parts that a model reads whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from inference.engines.errors import InputsTooLong

OVERLAP = 60
"""Characters that a part has beyond where it was cut, so that no phrase is lost there; an eighth of a short part."""
LEAST = 16
"""A text of so few characters is not cut again, however many tokens it has."""
MOST_PARTS = 1024
"""Of all inputs of a call: a minute of a small model on two cores."""


async def text_parts(text: str, fits: Callable[[str], Awaitable[bool]]) -> list[str]:
    """A text halved, at blanks where there are some near, until each part fits; raises `InputsTooLong`."""
    done: list[str] = []
    waiting = [text]
    while waiting:
        if len(done) + len(waiting) > MOST_PARTS:
            raise InputsTooLong(MOST_PARTS)
        part = waiting.pop()
        if len(part) <= LEAST or await fits(part):
            done.append(part)
            continue
        middle, beyond = len(part) // 2, min(OVERLAP, len(part) // 8)
        blank = part.rfind(" ", middle - beyond, middle)
        middle = blank if blank > 0 else middle
        waiting += (part[middle - beyond :], part[: middle + beyond])
    return done
