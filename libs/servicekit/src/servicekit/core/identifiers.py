"""Opaque ids that sort by creation time, so that new rows land at the end of an index."""

from __future__ import annotations

import re
import secrets
import time

REQUEST_ID_HEADER = "X-Request-Id"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def new_id(prefix: str) -> str:
    """`<prefix>_` and 24 hex digits: 48 bits of milliseconds, then 48 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{milliseconds:012x}{secrets.token_hex(6)}"


def request_id_from(header: str | None) -> str:
    """The caller's request id if it is a sane one, else a new one."""
    if header and _SANE_REQUEST_ID.fullmatch(header):
        return header
    return new_id("req")
