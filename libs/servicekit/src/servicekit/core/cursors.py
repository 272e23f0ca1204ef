"""Cursors of paged lists: opaque to callers, a JSON list of sort values to us."""

from __future__ import annotations

import base64
import binascii
import json
import math

from servicekit.core.errors import InvalidRequest

CursorValue = str | int | float


class InvalidCursor(InvalidRequest):
    """The cursor was not one that this list gave out."""

    code = "invalid_cursor"

    def __init__(self) -> None:
        super().__init__(
            "The cursor is not valid. Use next_cursor of the page before, or leave it out.", param="cursor"
        )


def encode_cursor(*values: CursorValue) -> str:
    """A cursor that resumes after the row with these sort values."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type[CursorValue]) -> tuple[CursorValue, ...]:
    """The sort values of a cursor, of the given types; raises `InvalidCursor`."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError):
        raise InvalidCursor from None
    if not isinstance(values, list) or len(values) != len(kinds):
        raise InvalidCursor
    for value, kind in zip(values, kinds, strict=True):
        if type(value) is not kind or not _storable(value):
            raise InvalidCursor
    return tuple(values)


def _storable(value: CursorValue) -> bool:
    """Whether a database can hold it: none of ours gave out anything else, and a driver would fail over it."""
    if isinstance(value, str):
        return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)
    return -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)
