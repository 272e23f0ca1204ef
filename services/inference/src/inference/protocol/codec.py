"""JSON as it passes through: fast, and never failing over what a slower parser takes."""

from __future__ import annotations

import json
from typing import Any

import orjson


def read(content: bytes) -> Any:
    """The value of a JSON text; raises `ValueError`."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:  # half characters (\\ud83d) and NaN, which Python's own parser takes
        return json.loads(content)


def write(value: Any) -> bytes:
    """A value as JSON on one line."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half characters and integers of more than 64 bits
        return json.dumps(value, separators=(",", ":")).encode()
