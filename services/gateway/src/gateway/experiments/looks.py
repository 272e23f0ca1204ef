"""Looks at what is kept in SQL again and again, at a bounded share of the database's time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)
SHARE = 20.0
"""It pauses so many times as long as the last look took."""


async def look_until_cancelled(look: Callable[[], Awaitable[None]], *, seconds: float, who: str) -> None:
    """At least `seconds` apart; a look that fails because the database is away is said in the log as `who`'s."""
    while True:
        began = time.perf_counter()
        try:
            await look()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning(f"{who} could not look", reason=repr(error)[:300])
        await asyncio.sleep(max(seconds, SHARE * (time.perf_counter() - began)))
