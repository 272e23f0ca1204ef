from __future__ import annotations

import asyncio
import errno
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from services.gateway.tests.usage.recording import DAY_ONE, record_of, write_records
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError

from contracts.access.keys import KeyCreate
from gateway.auth.key_repository import KeyRepository
from gateway.storage.audit_log import Actor
from gateway.storage.tables import usage
from gateway.usage import ledger as writing
from gateway.usage.ledger import UsageLedger
from gateway.usage.records import ReservationRecord, count
from servicekit.core.errors import DiskFull
from servicekit.sql.database import Database


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(usage))).scalar_one())


async def test_closing_writes_everything_that_was_queued(database: Database) -> None:
    await write_records(database, *(record_of() for _ in range(1500)))
    assert await _count(database) == 1500


async def test_a_full_queue_makes_calls_wait_and_loses_nothing(database: Database) -> None:
    ledger = UsageLedger(database, 2)
    waiting = [asyncio.create_task(ledger.record(record_of())) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sum(task.done() for task in waiting) == 2
    waiting[5].cancel()  # its call was cut off; its row must still come
    ledger.open()
    await asyncio.gather(*waiting, return_exceptions=True)
    await ledger.close()
    assert await _count(database) == 10


async def test_a_row_is_written_once_even_if_its_group_is_written_twice(database: Database) -> None:
    record = record_of()
    await write_records(database, record)
    await write_records(database, record, record_of())
    assert await _count(database) == 2


async def test_a_database_that_fails_for_a_while_loses_no_row(database: Database) -> None:
    failures = iter([True, True])

    def fail(*_: Any) -> None:
        if next(failures, False):
            raise OperationalError("insert", {}, Exception("database is locked"))

    event.listen(database._store._writing, "before_cursor_execute", fail)
    await write_records(database, record_of(), record_of())
    assert await _count(database) == 2


async def test_while_the_disk_is_full_rows_wait_and_a_call_that_costs_money_is_told_why_it_is_not_begun(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_full = True

    def fail(*_: Any) -> None:
        if is_full:
            raise OperationalError("insert", {}, OSError(errno.ENOSPC, "No space left on device"))

    event.listen(database._store._writing, "before_cursor_execute", fail)
    monkeypatch.setattr(writing, "RESERVATION_SECONDS", 0)
    ledger = UsageLedger(database, 100)
    ledger.open()
    await ledger.record(record_of())
    async with asyncio.timeout(60):
        while not ledger.is_full:  # noqa: ASYNC110  # the ledger has no event for it
            await asyncio.sleep(0.01)
    row = record_of()
    held = {one.name: getattr(row, one.name) for one in fields(ReservationRecord)}
    with pytest.raises(DiskFull):
        await ledger.reserve(ReservationRecord(**held))
    assert await _count(database) == 0
    is_full = False
    await ledger.record(row)
    await ledger.all_written()
    assert (await _count(database), ledger.is_full) == (2, False)
    await ledger.close()


async def test_a_row_that_no_database_takes_holds_up_no_other(database: Database) -> None:
    await write_records(database, record_of(), record_of(prompt_tokens=2**70), record_of())
    assert await _count(database) == 2
    assert count({"prompt_tokens": 2**70}, "prompt_tokens") == 0  # and no upstream makes one


async def test_a_keys_last_use_is_kept(database: Database, keys: KeyRepository) -> None:
    created = await keys.create_key(KeyCreate(name="k", tenant="acme", scopes=["chat"]), Actor("a"))
    await write_records(
        database, record_of(key_id=created.id), record_of(key_id=created.id, started_at=DAY_ONE + timedelta(1))
    )
    assert (await keys.get_key(created.id)).last_used_at == DAY_ONE + timedelta(1)
