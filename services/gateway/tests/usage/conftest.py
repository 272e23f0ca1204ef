"""A replica that is running."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from services.gateway.tests.usage.replica import Replica, running

from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


@pytest.fixture
async def replica(_patience: None, database: Database, clock: ManualClock) -> AsyncIterator[Replica]:
    async with running(Replica(database, MemoryLimiter(clock), clock)) as one:
        yield one
