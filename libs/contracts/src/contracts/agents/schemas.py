"""JSON schemas that callers give."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, JsonValue

from contracts.core.values import check_value

MAX_SCHEMA_CHARS = 64_000


def _can_be_kept(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    check_value(value)
    if len(repr(value)) > MAX_SCHEMA_CHARS:
        raise ValueError(f"is longer than {MAX_SCHEMA_CHARS:,} characters")
    return value


Schema = Annotated[dict[str, JsonValue], AfterValidator(_can_be_kept)]
