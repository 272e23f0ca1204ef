from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from services.inference.tests.corrections import correction
from services.inference.tests.projections import lora
from sqlalchemy import Connection, Engine, delete, event, insert, select
from sqlalchemy.exc import OperationalError

from contracts.models.catalog import ModelDeclaration
from inference.bootstrap import MIGRATIONS
from inference.declarations.matrices import require_whole
from inference.declarations.repository import DeclarationRepository, Publisher
from inference.declarations.tables import MATRICES, MODELS
from inference.errors import DeclarationInvalid
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database, rows_of
from servicekit.sql.migrations import migrate

NAME = "words+acme.lora"


class Kept:
    """A repository, and what its tables have."""

    def __init__(self, database: Database) -> None:
        self.database, self.repository = database, DeclarationRepository(database, ManualClock())

    async def declare(self, name: str = NAME, job: str = "ftjob_1", rank: str = "AAAA") -> None:
        """What a job has learnt, of matrices that `rank` tells from others."""
        body = entry(rank) | {"tenant": "acme", "tuned": {"job": job, "stage": "published"}}
        await self.repository.put(
            name, ModelDeclaration.model_validate(body), lambda _: None, publisher=Publisher("acme", 20)
        )

    async def matrices(self) -> dict[str, Any]:
        """Those that are declared, by the name of the model."""
        return {one.name: one.entry["source"]["lora"]["matrices"] for one in (await self.repository.read()).models}

    async def count(self) -> int:
        return len(await self.database.read(rows_of(select(MATRICES.c.digest))))


def entry(up: str) -> dict[str, Any]:
    learnt = lora(matrices={"layer.1": {"down": "AAAA", "up": up}, "layer.0": {"down": up, "up": up}})
    return {"kind": "embedding", "engine": "lora", "source": {"lora": learnt}, "dimensions": 2}


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    database = Database.open(None, tmp_path, "inference")
    await migrate(database, MIGRATIONS)
    yield Kept(database)
    await database.close()


async def test_they_are_read_once_and_come_as_they_were_declared_in_their_order(kept: Kept) -> None:
    await kept.declare()
    rows = await kept.database.read(rows_of(select(MODELS.c.declaration)))
    assert "AAAA" not in str(rows), "a change reads none of them"
    first = await kept.matrices()
    assert list(first[NAME].items()) == list(entry("AAAA")["source"]["lora"]["matrices"].items())
    await kept.declare("words+acme.other", "ftjob_2", "BBBB")
    second = await kept.matrices()
    assert second[NAME] is first[NAME]
    assert second["words+acme.other"]["layer.0"]["up"] == "BBBB"
    again = await DeclarationRepository(kept.database, ManualClock()).read()
    assert [one.entry["source"]["lora"]["matrices"] for one in again.models] == [*second.values()], "after a restart"


async def test_those_of_no_declaration_are_gone_and_those_of_one_that_comes_back_are_kept(kept: Kept) -> None:
    await kept.declare()
    await kept.declare("words+acme.same", "ftjob_2")
    assert await kept.count() == 1
    await kept.declare(job="ftjob_3", rank="BBBB")
    assert await kept.count() == 2
    await kept.repository.delete_tuned("acme", "ftjob_2")
    assert await kept.count() == 2, "one of them may come back"
    await kept.repository.delete_tuned("acme", "ftjob_3")
    assert (await kept.matrices())[NAME]["layer.0"]["up"] == "AAAA"
    assert await kept.count() == 1
    await kept.repository.delete(NAME, "acme")
    assert await kept.count() == 0


async def test_a_row_of_an_earlier_release_is_read_with_the_matrices_that_are_in_it(kept: Kept) -> None:
    async with kept.database.write() as connection:
        row = {"name": NAME, "declaration": entry("CCCC"), "created_at": ManualClock().now()}
        await connection.execute(insert(MODELS).values(row))
    assert (await kept.matrices())[NAME]["layer.0"]["up"] == "CCCC"
    await kept.declare("words+acme.other", "ftjob_2")
    assert (await kept.matrices())[NAME]["layer.0"]["up"] == "CCCC"
    assert await kept.count() == 1


async def test_those_that_are_a_part_of_a_correction_are_rows_of_their_own_too(kept: Kept) -> None:
    learnt = {"rank": 1, "matrices": entry("AAAA")["source"]["lora"]["matrices"]}
    source = {"correction": correction(lora=learnt)}
    body = {"kind": "rerank", "engine": "correction", "source": source}
    await kept.repository.put("reader+order", ModelDeclaration.model_validate(body), lambda _: None)
    (row,) = await kept.database.read(rows_of(select(MODELS.c.declaration)))
    assert row["declaration"]["source"]["correction"]["lora"]["matrices"].startswith("sha256:")
    (found,) = (await kept.repository.read()).models
    assert found.entry["source"] == source
    assert list(found.entry["source"]["correction"]["lora"]["matrices"]) == ["layer.1", "layer.0"]
    await kept.repository.delete("reader+order", None)
    assert await kept.count() == 0


async def test_rows_and_their_matrices_are_read_as_of_one_moment(kept: Kept) -> None:
    await kept.declare()
    taken: list[str] = []

    def take_away(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "FROM matrices" in statement and not taken:
            taken.append(statement)
            with closing(sqlite3.connect(kept.database.sqlite_file or "")) as other, other:
                other.execute("DELETE FROM models")
                other.execute("DELETE FROM matrices")

    event.listen(Engine, "before_cursor_execute", take_away)
    try:
        assert (await kept.matrices())[NAME]["layer.0"]["up"] == "AAAA"
    finally:
        event.remove(Engine, "before_cursor_execute", take_away)
    assert taken
    assert (await kept.repository.read()).models == ()


async def test_an_entry_whose_matrices_are_not_there_says_so_until_they_are(kept: Kept) -> None:
    await kept.declare()
    await kept.declare("words+acme.other", "ftjob_2", "BBBB")
    digest = f"{(await _row(kept))['source']['lora']['matrices']}"
    await kept.database.write(
        lambda connection: connection.execute(delete(MATRICES).where(MATRICES.c.digest == digest))
    )
    missing, whole = (await kept.repository.read()).models
    with pytest.raises(
        DeclarationInvalid, match=rf"its matrices \({digest}\) are not in the database; publish it again"
    ):
        require_whole(missing.entry)
    require_whole(whole.entry)
    await kept.declare()
    require_whole((await kept.repository.read()).models[0].entry)


async def test_a_job_that_has_published_nothing_takes_nothing_away(kept: Kept) -> None:
    row = {"digest": "sha256:under-way", "content": "{}"}  # of a declaration that is not committed
    await kept.database.write(lambda connection: connection.execute(insert(MATRICES).values(row)))
    await kept.repository.delete_tuned("acme", "ftjob_1")
    assert await kept.count() == 1
    await kept.declare()
    await kept.repository.delete_tuned("acme", "ftjob_1")
    assert await kept.count() == 0


async def test_a_downgrade_puts_them_back_into_their_rows_and_into_those_that_may_come_back(kept: Kept) -> None:
    await kept.declare()
    await kept.declare(job="ftjob_2", rank="BBBB")
    await kept.database.write(_downgrade)
    row = await _row(kept)
    assert row["source"]["lora"] == entry("BBBB")["source"]["lora"]
    assert row["previous"]["source"]["lora"] == entry("AAAA")["source"]["lora"]
    assert list(row["source"]["lora"]["matrices"]) == ["layer.1", "layer.0"]
    tables = select(MATRICES.c.digest)
    with pytest.raises(OperationalError, match="no such table"):
        await kept.database.read(rows_of(tables))


async def _row(kept: Kept) -> dict[str, Any]:
    (row,) = await kept.database.read(rows_of(select(MODELS.c.declaration).where(MODELS.c.name == NAME)))
    declaration: dict[str, Any] = row["declaration"]
    return declaration


def _downgrade(connection: Connection) -> None:
    revision = ScriptDirectory(str(MIGRATIONS)).get_revision("0005")
    with Operations.context(MigrationContext.configure(connection)):
        revision.module.downgrade()
