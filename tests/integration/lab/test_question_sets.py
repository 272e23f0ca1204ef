"""Question sets with processes that really save at the same time, on either database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.improvement.question_sets import QuestionSetCreate
from lab.bootstrap import open_dependencies
from lab.dependencies import Dependencies
from lab.questions.repository import Viewer
from lab.settings import LabSettings
from lab.tables import metadata

ACME = Viewer("acme", "key_1")
SAVES = 12
Replicas = tuple[Dependencies, Dependencies]


@pytest.fixture(params=["sqlite", "postgresql"])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replicas]:
    if request.param == "postgresql" and not postgres_installed():
        pytest.skip("PostgreSQL is not installed")
    with temporary_postgres() if request.param == "postgresql" else nullcontext("") as url:
        settings = LabSettings(data_dir=tmp_path, database_url=SecretStr(url) if url else None)
        async with open_dependencies(settings) as one, open_dependencies(settings) as other:
            yield one, other


def _append(*texts: str) -> QuestionSetCreate:
    items = [{"question": text, "answers": [text]} for text in texts]
    return QuestionSetCreate.model_validate({"name": "policies", "items": items, "append": True})


async def test_savers_of_two_replicas_lose_nothing_of_each_other(replicas: Replicas) -> None:
    async def save_all(replica: Dependencies, name: str) -> None:
        for number in range(SAVES):
            await replica.question_sets.save(ACME, _append(f"{name} {number}?"))

    await asyncio.gather(save_all(replicas[0], "One"), save_all(replicas[1], "Other"))
    newest = await replicas[0].question_sets.get(ACME, "policies")
    assert (newest.version, newest.questions) == (2 * SAVES, 2 * SAVES)
    versions = await replicas[1].question_sets.list_versions(ACME, "policies", 100, None)
    assert [(one.version, one.questions) for one in versions.data] == [(n, n) for n in range(2 * SAVES, 0, -1)]


async def test_a_version_is_read_as_it_was_saved_whatever_others_do(replicas: Replicas) -> None:
    sets, others = replicas[0].question_sets, replicas[1].question_sets
    await sets.save(ACME, _append("Grüße?", "二?"))
    before = await others.list_questions(ACME, "policies", 1, None, 10, None)
    await others.save(ACME, _append("Three?"))
    body = QuestionSetCreate.model_validate({"name": "policies", "items": [{"question": "Four?"}]})
    await sets.save(ACME, body)
    assert await sets.list_questions(ACME, "policies", 1, None, 10, None) == before
    await others.delete(ACME, "policies", 2)
    assert await sets.list_questions(ACME, "policies", 1, None, 10, None) == before
    await sets.delete(ACME, "policies")
    assert (await others.list_sets(ACME, 10, None)).data == []
    assert (await others.save(ACME, body))[0].version == 4


async def test_migrations_make_the_tables_that_the_code_uses(replicas: Replicas) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with replicas[0].database.read() as connection:
        assert await connection.run(differences) == []
