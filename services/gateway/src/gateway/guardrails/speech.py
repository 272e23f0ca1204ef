"""Where a model's words stand in a message or a stream's delta: answer, reasoning, arguments of tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Place = tuple[str, int]
"""A field, and for calls of tools which of them."""
_WORDS = ("content", "reasoning_content", "reasoning", "refusal")
_CALLS, _CALL, _ARGUMENTS = "tool_calls", "function_call", "arguments"


def spoken(message: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any], str]]:
    """Each text with its place: the object that holds it, and its name there."""
    for name in _WORDS:
        if isinstance(message.get(name), str):
            yield (name, 0), message, name
    calls = message.get(_CALLS)
    for at, call in enumerate(calls if isinstance(calls, list) else ()):
        if not isinstance(call, dict):
            continue
        number = call["index"] if isinstance(call.get("index"), int) else at
        for kind, name in (("function", _ARGUMENTS), ("custom", "input")):
            if isinstance(call.get(kind), dict) and isinstance(call[kind].get(name), str):
                yield (f"{kind}.{name}", number), call[kind], name
    old = message.get(_CALL)
    if isinstance(old, dict) and isinstance(old.get(_ARGUMENTS), str):
        yield (_CALL, 0), old, _ARGUMENTS


def say(delta: dict[str, Any], place: Place, text: str) -> None:
    """Add words at a place of a delta."""
    name, number = place
    for known, holder, field in spoken(delta):
        if known == place:
            holder[field] += text
            return
    if name == _CALL:
        delta[_CALL] = {_ARGUMENTS: text}
    elif "." in name:
        kind, _, field = name.partition(".")
        calls = delta.get(_CALLS)
        delta[_CALLS] = [*(calls if isinstance(calls, list) else ()), {"index": number, kind: {field: text}}]
    else:
        delta[name] = text
