from __future__ import annotations

import pytest
from services.agent.tests.runs_bench import bench

from servicekit.sql.database import Database


async def test_an_output_is_validated_and_repaired_a_bounded_number_of_times(database: Database) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
    one = bench(database, "27 days", '{"days": "27"}', '```json\n{"days": 27}\n```')
    await one.define(output_schema=schema)
    run = await one.run()
    assert (run.status, run.output, run.steps) == ("completed", '{"days": 27}', 3)
    never = bench(database, "no JSON", clock=one.clock)
    ended = await never.run()
    assert (ended.status, ended.limit, ended.steps, ended.output) == ("limit_reached", "invalid_output", 3, "no JSON")


@pytest.mark.parametrize("days", [r'"\ud83d"', "NaN", "1e999", "9" * 30])
async def test_an_output_that_nothing_can_keep_is_repaired(database: Database, days: str) -> None:
    one = bench(database, f'{{"days": {days}}}', '{"days": 27}')
    await one.define(output_schema={"type": "object"})
    run = await one.run()
    assert (run.status, run.output, run.steps) == ("completed", '{"days": 27}', 2)
