from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from services.agent.tests.runs_bench import open_database
from tests.support.agent.prompt_replicas import move_under_load

from servicekit.sql.database import Database


@pytest.fixture
async def other(database: Database, tmp_path: Path) -> AsyncIterator[Database]:
    """A second process's connections to the same file."""
    second = await open_database(tmp_path)
    yield second
    await second.close()


async def test_no_request_sees_a_mix_while_a_label_moves_and_the_other_replica_has_each_move_at_once(
    database: Database, other: Database
) -> None:
    await move_under_load(database, other)
