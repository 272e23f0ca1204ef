"""Where the words of a stream stand in its deltas: every text but references, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.guardrails.json_texts import OUR_REFERENCES, is_reference, references_in

Place = tuple[str | int, ...]
"""The fields that lead to a text; of a list's items the `index` that they have, else their number."""


def spoken(delta: dict[str, Any]) -> Iterator[tuple[Place, Any, Any]]:
    """Each text with its place: the object or list that holds it, and its name or number there."""
    yield from _inner((), "", delta, delta.items(), OUR_REFERENCES)


def _inner(
    place: Place, field: str, holder: Any, items: Any, references: frozenset[str]
) -> Iterator[tuple[Place, Any, Any]]:
    for name, value in list(items):
        about = name if isinstance(name, str) else field
        here = (*place, _number(value, name))
        if isinstance(value, str):
            if value and not is_reference(about, value, references):
                yield here, holder, name
        elif isinstance(value, dict):
            yield from _inner(here, about, value, value.items(), references_in(about, references))
        elif isinstance(value, list):
            yield from _inner(here, about, value, enumerate(value), references)


def _number(item: Any, name: str | int) -> str | int:
    if isinstance(name, int) and isinstance(item, dict) and isinstance(item.get("index"), int):
        number: int = item["index"]
        return number
    return name


def say(delta: dict[str, Any], place: Place, text: str) -> None:
    """Add words at a place of a delta, which is made where it is missing."""
    for known, holder, name in spoken(delta):
        if known == place:
            holder[name] += text
            return
    *way, last = place
    at: Any = delta
    for step, following in zip(way, place[1:], strict=True):
        at = _entered(at, step, [] if isinstance(following, int) else {})
    if isinstance(at, list):
        at.append(text)
    else:
        at[last] = text


def _entered(holder: Any, step: str | int, empty: Any) -> Any:
    """What is at a step, or `empty` put there."""
    if isinstance(holder, list):
        found = next((item for at, item in enumerate(holder) if _number(item, at) == step), None)
        if not isinstance(found, type(empty)):
            found = {"index": step, **empty} if isinstance(empty, dict) else empty
            holder.append(found)
        return found
    if not isinstance(holder.get(step), type(empty)):
        holder[step] = empty
    return holder[step]
