"""No tenant keeps the others out of the workers' slots, and none is left free for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from extraction.model.document import START, Builder, Extracted, Resume
from extraction.sandbox.extractor import SandboxedExtractor
from ingest.tables import JOBS

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

SLOTS = 6
SECONDS = 120.0
"""Longest that a test waits for what must happen."""


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a document that says `endless` comes to no end."""

    async def parts(
        self: SandboxedExtractor, source: Path, media_type: str, resume: Resume = START
    ) -> AsyncGenerator[Extracted, None]:
        if b"endless" in source.read_bytes():  # noqa: ASYNC240  # a file of ten bytes
            await asyncio.Event().wait()
        builder = Builder()
        builder.block("paragraph", "the word")
        yield builder.finish()

    monkeypatch.setattr(SandboxedExtractor, "parts", parts)


async def held(service: Service) -> dict[str, int]:
    """Slots by tenant."""
    running = select(JOBS.c.tenant, func.count()).where(JOBS.c.status == "running").group_by(JOBS.c.tenant)
    async with service.database.read() as connection:
        return {row[0]: row[1] for row in await connection.execute(running)}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110  # rows change without an event
            await asyncio.sleep(0.02)


async def test_a_tenant_has_all_slots_alone_and_its_share_beside_another(service: Service, endless: None) -> None:
    object.__setattr__(service.worker.queue.store, "lease_seconds", 0.3)  # a heartbeat each tenth of a second
    await service.collection(tenant="globex")
    for number in range(SLOTS):
        await service.upload(f"endless {number}")
    working = asyncio.create_task(service.worker.loop.run(0))

    async def holds(**wanted: int) -> bool:
        return await held(service) == wanted

    async def is_ready() -> bool:
        assert only.job is not None
        return (await service.job(only.job["id"], "globex")).status == "ready"

    await until(lambda: holds(acme=SLOTS))
    only = await service.upload("the only document", tenant="globex")
    await until(is_ready)
    await until(lambda: holds(acme=SLOTS))
    theirs = [await service.upload(f"endless {number}", tenant="globex") for number in range(SLOTS)]
    await until(lambda: holds(acme=SLOTS // 2, globex=SLOTS // 2))
    last = theirs[-1].job
    assert last is not None
    assert (await service.job(last["id"], "globex")).waiting_on == "tenant_share"
    service.worker.loop.stop()
    await working
    async with service.database.read() as connection:
        attempts = (await connection.execute(select(JOBS.c.attempts).where(JOBS.c.tenant == "acme"))).scalars().all()
    assert set(attempts) == {0}, "giving way is no attempt"
