"""JSON and JSON lines: `path: value` on a line of its own, a record of a list as a paragraph; no key or value is lost.

Numbers stand as they are written in the file, and a key that occurs twice in an object stands twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from extraction.model.document import Builder, Extracted, clean
from extraction.model.failures import too_large
from extraction.text import code
from extraction.text.text_file import text_file

MAX_LINES = 40
"""Lines of one paragraph. An object with more is parted by its keys."""
MAX_LEVEL = 6
"""Headings within each other; what lies deeper is told by paths alone."""


class _Object(list[tuple[str, Any]]):
    """A JSON object with its keys in order, doubled ones too; a plain list is an array."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def parse(text: str) -> Extracted:
    """One JSON value, or one a line. What is neither, such as JSON with comments, is read as the text that it is."""
    builder = Builder()
    try:
        _value(builder, _loaded(text), 1)
    except RecursionError:
        raise too_large() from None
    except ValueError:
        return parse_lines(text)
    return builder.finish()


read = text_file(parse)


def parse_lines(text: str) -> Extracted:
    """A JSON value a line, each a paragraph; a line that is none stays as it is."""
    builder = Builder()
    lines = [line for line in clean(text).split("\n") if line.strip()]
    values = [_line(line) for line in lines]
    if not any(isinstance(value, list) for value in values):
        return code.parse(text)
    for line, value in zip(lines, values, strict=True):
        builder.block("paragraph", line if value is None else "\n".join(_flat(value, "")))
    return builder.finish()


def _line(line: str) -> Any:
    try:
        return _loaded(line)
    except RecursionError:
        raise too_large() from None
    except ValueError:
        return None


def _loaded(text: str) -> Any:
    return json.loads(
        text.strip("\ufeff \t\r\n"),
        object_pairs_hook=_Object,
        parse_float=_Number,
        parse_int=_Number,
        parse_constant=_Number,
    )


def _value(builder: Builder, value: Any, level: int) -> None:
    """A value that stands for itself: records and small objects as paragraphs, a large object key by key."""
    if _is_short(value) or level > MAX_LEVEL:
        builder.block("paragraph", "\n".join(_flat(value, "")))
    elif isinstance(value, _Object):
        _members(builder, value, level)
    else:
        _items(builder, value, level)


def _members(builder: Builder, value: _Object, level: int) -> None:
    """The simple members together, then each of the others under its key."""
    simple = [line for key, member in value if not _is_nested(member) for line in _flat(member, key)]
    builder.block("paragraph", "\n".join(simple))
    outer = list(builder.headings)
    for key, member in value:
        if _is_nested(member):
            builder.heading(key, level)
            if builder.headings == outer or not clean(key).strip():
                builder.block("paragraph", "\n".join(_flat(member, key)))
            else:
                _value(builder, member, level + 1)
            builder.headings = list(outer)


def _items(builder: Builder, value: list[Any], level: int) -> None:
    """Each record a paragraph of its own; simple items as a list."""
    simple: list[str] = []
    for item in value:
        if _is_nested(item):
            builder.block("list", "\n".join(simple))
            simple = []
            _value(builder, item, level)
        else:
            simple.append(f"- {_simple(item)}")
    builder.block("list", "\n".join(simple))


def _flat(value: Any, path: str) -> Iterator[str]:
    """A line for each simple value, with the path to it; an empty object or array counts as one."""
    if not _is_nested(value):
        yield f"{path}: {_simple(value)}" if path else _simple(value)
    elif isinstance(value, _Object):
        for key, member in value:
            yield from _flat(member, f"{path}.{key}" if path else key)
    elif all(not _is_nested(item) for item in value):
        yield f"{path}: {', '.join(map(_simple, value))}" if path else ", ".join(map(_simple, value))
    else:
        for number, item in enumerate(value):
            yield from _flat(item, f"{path}[{number}]")


def _is_short(value: Any) -> bool:
    return sum(1 for _ in islice(_flat(value, ""), MAX_LINES + 1)) <= MAX_LINES and not _is_records(value)


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value, _Object) and any(isinstance(item, list) for item in value)


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _simple(value: Any) -> str:
    if isinstance(value, _Object):
        return "{}"
    if isinstance(value, list):
        return "[]"
    return value if isinstance(value, str) else json.dumps(value)
