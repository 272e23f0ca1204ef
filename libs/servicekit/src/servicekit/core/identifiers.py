"""Opaque ids that sort by creation time, so that new rows land at the end of an index."""

from __future__ import annotations

import re
import secrets
import threading
import time

REQUEST_ID_HEADER = "X-Request-Id"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class _Numbers:
    """Numbers of 96 bits that only grow in this process, also within one millisecond and when the clock is set back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        """48 bits of milliseconds, then 48 random bits; or, where that would not be more, the last and up to 2**32."""
        with self._lock:
            fresh = (time.time_ns() // 1_000_000 << 48) | secrets.randbits(48)
            self._last = max(fresh, self._last + 1 + secrets.randbits(32))
            return self._last


_numbers = _Numbers()


def new_id(prefix: str) -> str:
    """`<prefix>_` and 24 hex digits: 48 bits of milliseconds, then 48 bits that can't be guessed.

    Those of one process sort in the order in which they were made.
    """
    return f"{prefix}_{_numbers.take():024x}"


def request_id_from(header: str | None) -> str:
    """The caller's request id if it is a sane one, else a new one."""
    if header and _SANE_REQUEST_ID.fullmatch(header):
        return header
    return new_id("req")
