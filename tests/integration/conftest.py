"""What several files here open: closed also when a test fails, so that the next one meets nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from retriever.adapters.edge import EdgeStore


@pytest.fixture
async def open_edge() -> AsyncIterator[Callable[..., EdgeStore]]:
    """Opens an `EdgeStore`. What a test leaves open, with the child that builds its index, ends with the test."""
    opened: list[EdgeStore] = []

    def opening(*where: Any, **how: Any) -> EdgeStore:
        opened.append(EdgeStore(*where, **how))
        return opened[-1]

    yield opening
    for store in opened:
        await store.close()
