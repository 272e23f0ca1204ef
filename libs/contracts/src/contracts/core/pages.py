"""Lists: `{"data": [...], "next_cursor": "..." | null}`."""

from __future__ import annotations

from typing import Generic, TypeVar

from contracts.core.base import Reply

Item = TypeVar("Item")


class Page(Reply, Generic[Item]):
    """One page of a list. `next_cursor` is opaque, and null on the last page."""

    data: list[Item]
    next_cursor: str | None = None
