from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from services.gateway.tests.records.recordings import recording
from sqlalchemy import Connection, func, select, text

from gateway.metrics import RECORDS
from gateway.records import content
from gateway.records import writer as writing
from gateway.records.content import Row
from gateway.records.recording import Recording
from gateway.records.writer import RecordWriter
from gateway.storage.tables import record_documents, records, usage
from gateway.usage.ledger import UsageLedger
from servicekit.core.clock import ManualClock
from servicekit.core.probes import Degraded
from servicekit.sql.database import Database, UnstorableText

MUCH = 1_000_000
SOURCE = {"collection": "a", "document_id": "d1", "revision": 1, "chunk_id": "c1", "text": "t"}


class Books:
    """A ledger and a writer that run."""

    def __init__(self, database: Database, clock: ManualClock, memory: int = MUCH, free: int = 0) -> None:
        self.database, self.clock = database, clock
        self.ledger = UsageLedger(database, 100, clock)
        self.writer = RecordWriter(database, self.ledger, memory, free)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Books]:
        self.ledger.open()
        self.writer.open()
        yield self
        await self.writer.close()
        await self.ledger.close()

    async def call(self, number: int, **more: Any) -> None:
        one = recording(self.writer, f"chatcmpl_{number:024x}", self.clock.now(), **more)
        assert one.usage is not None
        await self.ledger.record(one.usage)
        self.writer.submit(one)

    async def counts(self) -> tuple[int, int]:
        """Rows of usage, and records."""
        await self.writer.all_written()
        await self.ledger.all_written()
        async with self.database.read() as connection:
            counts = [select(func.count()).select_from(table) for table in (usage, records)]
            first, second = [(await connection.execute(count)).scalar_one() for count in counts]
        return first, second


async def _refuse_records(database: Database) -> None:
    refuse = "CREATE TRIGGER no BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, 'no'); END"
    async with database.write() as connection:
        await connection.execute(text(refuse))


def _paused() -> float | None:
    return REGISTRY.get_sample_value("groundwork_gateway_records_paused")


async def test_every_record_is_written_with_its_documents_and_frees_its_memory(
    database: Database, clock: ManualClock
) -> None:
    async with Books(database, clock).running() as books:
        for number in range(250):
            await books.call(number, sources=[SOURCE, SOURCE])
        assert await books.counts() == (250, 250)
        assert books.writer.hold(MUCH), "all of it is free again"
    rows = await database.read(lambda connection: connection.execute(select(record_documents)).mappings().all())
    assert {(row["collection"], row["document_id"]) for row in rows} == {("a", "d1")}
    assert len(rows) == 250


async def test_what_can_t_be_written_is_lost_usage_is_not_and_readiness_says_so_until_it_can(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "TRIES", 1)
    monkeypatch.setattr(writing, "PAUSE_SECONDS", 600.0)
    await _refuse_records(database)
    before = RECORDS.labels("failed")._value.get()
    async with Books(database, clock).running() as books:
        await books.call(1)
        assert await books.counts() == (1, 0)
        with pytest.raises(Degraded, match="answers go on"):
            await books.writer.probe()
        assert (_paused(), RECORDS.labels("failed")._value.get()) == (1, before + 1)
        await books.call(2)
        assert await books.counts() == (2, 0), "for a while nothing is tried"
        async with database.write() as connection:
            await connection.execute(text("DROP TRIGGER no"))
        monkeypatch.setattr(books.writer, "_paused_until", 0.0)
        await books.writer.probe()
        assert _paused() == 0, "the pause is over by itself, though nothing was written since"
        await books.call(3)
        assert await books.counts() == (3, 1)
        assert books.writer.hold(MUCH)


async def test_while_the_ledger_has_no_room_no_record_waits_behind_it_and_readiness_says_so(
    database: Database, clock: ManualClock
) -> None:
    async with Books(database, clock).running() as books:
        books.ledger.is_full = True
        await books.call(1)
        with pytest.raises(Degraded, match="the disk is full; answers go on"):
            await books.writer.probe()
        assert _paused() == 1
        assert books.writer.hold(MUCH), "it was counted as lost, and holds no memory"
        books.writer.release(MUCH)
        books.ledger.is_full = False
        await books.call(2)
        assert await books.counts() == (2, 1)


async def test_an_answer_that_can_t_be_read_costs_no_other_its_record(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows_of(one: Recording) -> tuple[Row, list[Row]]:
        if one.request.model == "unreadable":
            raise KeyError("choices")
        return content.rows_of(one)

    monkeypatch.setattr(writing, "rows_of", rows_of)
    before = RECORDS.labels("failed")._value.get()
    async with Books(database, clock).running() as books:
        for number in range(9):
            await books.call(number, model="unreadable" if number == 4 else "m")
        assert await books.counts() == (9, 8)
        await books.writer.probe()
        assert books.writer.hold(MUCH)
    assert RECORDS.labels("failed")._value.get() == before + 1


async def test_a_text_that_the_database_refuses_costs_its_own_record_only_and_no_pause(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(work: Callable[[Connection], Any]) -> Any:
        def checked(connection: Connection) -> Any:
            done = work(connection)
            if connection.execute(select(records.c.id).where(records.c.model == "refused")).all():
                raise UnstorableText
            return done

        return write(checked)

    write = database.write
    before = RECORDS.labels("failed")._value.get()
    async with Books(database, clock).running() as books:
        monkeypatch.setattr(database, "write", refusing)
        for number in range(9):
            await books.call(number, model="refused" if number == 4 else "m", sources=[SOURCE])
        assert await books.counts() == (9, 8)
        await books.writer.probe()
        assert books.writer.hold(MUCH)
        monkeypatch.undo()
    assert RECORDS.labels("failed")._value.get() == before + 1


async def test_the_room_that_is_left_on_the_disk_is_not_taken_by_records(
    database: Database, clock: ManualClock
) -> None:
    async with Books(database, clock, free=2**62).running() as books:
        await books.call(1)
        assert await books.counts() == (1, 0)
        with pytest.raises(Degraded, match="disk is nearly full"):
            await books.writer.probe()


async def test_more_than_the_memory_is_not_held(database: Database, clock: ManualClock) -> None:
    async with Books(database, clock, memory=1000).running() as books:
        assert books.writer.hold(900)
        assert not books.writer.hold(200)
        books.writer.release(900)
        assert books.writer.hold(1000)
        books.writer.release(1000)


async def test_nothing_is_recorded_of_a_tenant_that_is_being_deleted(database: Database, clock: ManualClock) -> None:
    async with Books(database, clock).running() as books:
        books.ledger.deleted_tenants = frozenset({"gone"})
        await books.call(1, tenant="gone")
        await books.call(2)
        assert await books.counts() == (2, 1)
