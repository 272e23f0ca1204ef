"""Where answers are stored, by name and for some time."""

from __future__ import annotations

from typing import Protocol

from servicekit.core.errors import NotReady


class StoreUnavailable(Exception):
    """The cache can't answer now."""


class AnswerStore(Protocol):
    """Keeps answers by name for some time, bounded in bytes. Every call may raise `StoreUnavailable`."""

    async def get(self, name: str, tenant: str) -> tuple[str | None, str]:
        """What is kept, and the epoch of the tenant now: an answer of another epoch must not be given out."""
        ...

    async def put(self, name: str, text: str, seconds: float) -> None:
        """Keep it in the place of what had this name."""
        ...

    async def delete(self, prefix: str, tenant: str) -> None:
        """Drop what is kept under names that begin so, and a tenant's epoch."""
        ...

    async def raise_epoch(self, tenant: str | None) -> None:
        """Another epoch from now on, for one tenant or for all."""
        ...

    async def claim(self, name: str, owner: str, seconds: float) -> bool:
        """Whether the caller is the one that makes this answer: nobody else within `seconds`, unless it releases it."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """The work is done, or given up, by who had claimed it; does nothing for anybody else."""
        ...


class CacheUnreachable(NotReady):
    """Redis is away, so that cached answers can't be ended."""

    code = "cache_unreachable"

    def __init__(self) -> None:
        super().__init__("The cache can't be reached, so nothing was forgotten. Try again shortly.", retry_after=2)
