from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from services.agent.tests.payments import Till
from services.agent.tests.runs_bench import Bench, open_database
from sqlalchemy import func, select

from agent.runs.checkpoints import KEPT, PRUNED_EVERY, SqlCheckpoints, strict_serializer
from agent.tables import CHECKPOINT_WRITES, CHECKPOINTS
from agent.testing.scripted_agents import ScriptedAgent, Turn, in_turn
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


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


async def test_checkpoints_do_not_pile_up(database: Database) -> None:
    counts: list[int] = []

    async def count(table: Any) -> int:
        async with database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())

    async def note(_: object) -> None:
        counts.append(await count(CHECKPOINTS))

    turns = [Turn("", [("pay", {"amount": number})]) for number in range(16)]
    model = ScriptedAgent(in_turn(*turns, "Done."), before=note)
    one = Bench(database, model, ManualClock(), tools={"pay": Till()})
    await one.define()
    assert (await one.run()).status == "completed"
    assert max(counts) <= KEPT + PRUNED_EVERY
    assert len(counts) > KEPT + PRUNED_EVERY
    assert await count(CHECKPOINTS) == await count(CHECKPOINT_WRITES) == 0


@dataclass
class Gadget:
    """Something that a checkpoint must never bring to life."""

    words: str


def test_a_checkpoint_brings_nothing_but_plain_values_to_life() -> None:
    written = JsonPlusSerializer(allowed_msgpack_modules=True).dumps_typed({"plain": [1, "a"], "gadget": Gadget("x")})
    read = strict_serializer().loads_typed(written)
    assert read["plain"] == [1, "a"]
    assert not isinstance(read["gadget"], Gadget)
