"""SQLite takes the index that a query is meant to have, though nobody has counted rows for it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, select, text
from sqlalchemy.dialects import sqlite

from gateway.experiments.figures import cost_of_call
from gateway.storage.tables import usage
from gateway.usage.inner_calls import _inner
from servicekit.sql.database import Database

COST = select(cost_of_call()).where(usage.c.id == "call_1", usage.c.tenant == "acme")


@pytest.mark.parametrize("query", [COST, _inner(usage, "call_1", "key_1")], ids=["cost", "rows"])
async def test_calls_inside_a_call_are_found_by_it(database: Database, query: Select[Any]) -> None:
    if database.dialect.name != "sqlite":
        return
    words = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    async with database.read() as connection:
        plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {words}"))).mappings().all()
    steps = [row["detail"] for row in plan]
    assert not [step for step in steps if "by_key" in step or "by_tenant" in step or step.startswith("SCAN")], steps
    assert [step for step in steps if "by_parent" in step], steps
