from __future__ import annotations

from sqlalchemy import func, insert, select

from contracts.access.keys import KeyCreate
from gateway.admin.retention import Retention
from gateway.auth.key_repository import KeyRepository
from gateway.storage.audit_log import Actor
from gateway.storage.tables import audit, usage
from gateway.usage.records import UsageRecord
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

DAY = 86_400


def record(clock: ManualClock, number: int) -> UsageRecord:
    facts = {"id": f"u{number}", "parent_id": None, "request_id": "r", "key_id": "k", "tenant": "acme"}
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "embedding_tokens": 0, "cost_nano_usd": 5}
    ended = {"status": 200, "error_type": None, "streamed": False, "started_at": clock.now(), "ms": 1}
    return UsageRecord(**facts, route="chat", model="rag:vault", **counts, **ended)  # type: ignore[arg-type]


async def rows(database: Database) -> tuple[int, int]:
    async with database.read() as connection:
        counts = [select(func.count()).select_from(table) for table in (usage, audit)]
        first, second = [(await connection.execute(count)).scalar_one() for count in counts]
    return first, second


async def test_usage_and_audit_are_kept_for_the_days_of_the_settings(
    database: Database, keys: KeyRepository, clock: ManualClock
) -> None:
    async with database.write() as connection:
        many = [record(clock, number).row() for number in range(1500)]  # more than go at once
        await connection.execute(insert(usage), many)
    await keys.create_key(KeyCreate(name="k", tenant="acme", scopes=["chat"]), Actor("admin"))
    clock.advance(40 * DAY)
    async with database.write() as connection:
        await connection.execute(insert(usage).values(record(clock, 9999).row()))
    assert await rows(database) == (1501, 2)
    assert await Retention(database, clock, 0, 0, 7).apply() == 0, "0 keeps all"
    assert await Retention(database, clock, 41, 0, 7).apply() == 0
    assert await Retention(database, clock, 39, 41, 7).apply() == 1500
    assert await rows(database) == (1, 2)
    await Retention(database, clock, 39, 39, 7).apply()
    assert await rows(database) == (1, 0)
