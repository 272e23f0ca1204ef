from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from services.agent.tests.runs_bench import Bench, bench
from sqlalchemy import select

from agent.bootstrap import MIGRATIONS
from agent.restore import restore
from agent.settings import AgentSettings
from agent.tables import RUNS
from servicekit.backup.file import BackupFile, about
from servicekit.backup.tables import NotEmpty, open_part
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


def _opened(folder: Path) -> Database:
    folder.mkdir(exist_ok=True)
    return Database.open(None, folder, "agent")


async def _rows(database: Database) -> list[dict[str, Any]]:
    async with database.read() as connection:
        return [dict(row) for row in (await connection.execute(select(RUNS))).mappings()]


async def _with_a_run_at_work(folder: Path) -> tuple[Bench, BackupFile]:
    """A service in the middle of a run, and a backup of it at that moment."""
    database = _opened(folder / "old")
    await migrate(database, MIGRATIONS)
    one = bench(database, "Done.")
    await one.define()
    await one.start("Grüße 🙂")
    assert await one.queue.claim("a process that is gone") is not None
    backup = BackupFile(folder / "backup.tar")
    async with open_part(database, "agent") as pieces:
        content = b"".join([piece async for piece in pieces])
    backup.path.write_bytes(content + about("1", datetime.now(UTC), ["agent"]))
    backup.check()
    return one, backup


async def test_a_run_that_was_at_work_goes_on_at_once_where_it_is_restored(tmp_path: Path) -> None:
    one, backup = await _with_a_run_at_work(tmp_path)
    (before,) = await _rows(one.database)
    await one.database.close()
    await restore(AgentSettings(data_dir=tmp_path / "new"), backup)
    database = _opened(tmp_path / "new")
    (after,) = await _rows(database)
    assert (before["lease_owner"], after["lease_owner"]) == ("a process that is gone", None)
    assert after == {**before, "lease_owner": None, "lease_expires_at": None}
    other = bench(database, "Done.", clock=one.clock)  # no lease has to run out
    assert await other.work()
    assert [row["status"] for row in await _rows(database)] == ["completed"]
    await database.close()


async def test_a_restore_overwrites_nothing(tmp_path: Path) -> None:
    one, backup = await _with_a_run_at_work(tmp_path)
    before = await _rows(one.database)
    await one.database.close()
    with pytest.raises(NotEmpty):
        await restore(AgentSettings(data_dir=tmp_path / "old"), backup)
    database = _opened(tmp_path / "old")
    assert await _rows(database) == before
    await database.close()
