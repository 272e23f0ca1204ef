from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from langgraph.checkpoint.conformance import checkpointer_test, validate
from services.agent.tests.runs_bench import open_database

from agent.runs.checkpoints import SqlCheckpoints


async def test_the_checkpointer_keeps_what_langgraph_asks_of_one(tmp_path: Path) -> None:
    number = 0

    @checkpointer_test(name="SqlCheckpoints")
    async def saver() -> AsyncIterator[SqlCheckpoints]:
        nonlocal number
        number += 1
        database = await open_database(tmp_path / str(number))
        yield SqlCheckpoints(database)
        await database.close()

    report = await validate(saver)
    assert report.passed_all_base(), report.to_dict()
