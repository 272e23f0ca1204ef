"""The two model bases: strict about what callers send, lenient about what services answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
)

from contracts.core.exact_types import exact
from contracts.core.values import check_text


class Request(BaseModel):
    """What a caller sends. An unknown field is refused, so that a misspelt option never passes in silence, and so is a
    value of another type than the schema says, as 0 for `false`."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """What pydantic validates with."""
        return exact(handler(source), cls)


class Reply(BaseModel):
    """What a service answers. Unknown fields are ignored, so that services can be upgraded one at a time."""

    model_config = ConfigDict(extra="ignore")


def _no_control_characters(value: str) -> str:
    check_text(value)
    if any((ord(character) < 32 and character not in "\t\n\r") or ord(character) == 127 for character in value):
        raise ValueError("must not contain control characters")
    return value


def _no_dot_segment(value: str) -> str:
    if value in (".", ".."):
        raise ValueError("must not be '.' or '..'")
    return value


_NUMBER = re.compile(r"[-+]?[\d_.]+(e[-+]?\d+)?", re.IGNORECASE)
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
"""The name of a collection, an agent or a tenant."""

DocumentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$"), AfterValidator(_no_dot_segment)]
"""A document's id, the caller's own or one that ingest made. Not `.` or `..`, which mean other places in a path."""

Line = Annotated[str, AfterValidator(_no_control_characters)]
"""Text for people that is stored as it came."""

Title = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True), AfterValidator(_no_control_characters)]
"""A human-readable title of at most 500 characters."""

Timestamp = datetime
"""Always timezone-aware UTC; serialised as RFC 3339."""


def is_written_as_time(value: object) -> object:
    """Raise `ValueError` for what would be taken as seconds since 1970: a bare 2026 is no year there."""
    if not isinstance(value, datetime | str) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise ValueError("must be a date or a time such as 2026-01-31T12:00:00Z")
    return value


Moment = Annotated[datetime, BeforeValidator(is_written_as_time)]
"""A time that a caller gives: a date or RFC 3339, never seconds since 1970."""

Count = Annotated[int, Field(ge=0)]
"""A number of things, never negative."""
