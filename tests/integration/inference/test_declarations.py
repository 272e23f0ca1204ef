"""The declarations of added models in either database: changes at once, and what replicas read of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy

import pytest
from pydantic import SecretStr
from sqlalchemy import insert
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.models.catalog import ModelDeclaration
from inference.bootstrap import MIGRATIONS
from inference.declarations import repository
from inference.declarations.repository import DeclarationRepository, Vectors
from inference.declarations.tables import MODELS
from inference.errors import ModelNotFound, TooManyModels
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

CHAT = ModelDeclaration(kind="chat", engine="scripted", context_length=64)  # type: ignore[call-arg]
DEFAULT = CHAT.model_copy(update={"default": True})
NOW = datetime(2026, 11, 1, tzinfo=UTC)
Replicas = list[DeclarationRepository]


@pytest.fixture(params=["sqlite", "postgresql"])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replicas]:
    """Two services on one database."""
    if request.param == "postgresql" and not postgres_installed():
        pytest.skip("PostgreSQL is not installed")
    with temporary_postgres() if request.param == "postgresql" else nullcontext("") as url:
        secret = SecretStr(url) if url else None
        opened = [Database.open(secret, tmp_path, "inference") for _ in range(2)]
        for database in opened:
            await migrate(database, MIGRATIONS)
        yield [DeclarationRepository(database, SystemClock()) for database in opened]
        for database in opened:
            await database.close()


async def test_changes_of_both_at_once_are_all_there_and_each_is_counted(replicas: Replicas) -> None:
    one, other = replicas
    assert await one.number() == 0
    puts = [each.put(f"m{number}", CHAT, lambda _: None) for number in range(10) for each in (one, other)]
    await asyncio.gather(*puts)
    assert await other.number() == 20
    read = await one.read()
    assert sorted(model.name for model in read.models) == sorted(f"m{number}" for number in range(10))
    assert read.models[0].entry == {"kind": "chat", "engine": "scripted", "context_length": 64}


async def test_there_is_one_default_of_a_kind_whoever_chooses(replicas: Replicas) -> None:
    one, other = replicas
    await asyncio.gather(*(each.put(name, DEFAULT, lambda _: None) for each in replicas for name in ("a", "b")))
    chosen = (await one.read()).defaults
    assert set(chosen) == {"chat"}
    await other.set_default("chat", "b")
    assert (await one.read()).defaults == {"chat": "b"}
    await one.delete("b")
    assert (await other.read()).defaults == {}
    with pytest.raises(ModelNotFound):
        await other.delete("b")


async def test_what_is_refused_changes_nothing(replicas: Replicas, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = replicas
    await one.put("a", CHAT, lambda _: None)

    def refuse(_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await other.put("a", DEFAULT, refuse)
    monkeypatch.setattr(repository, "MOST", 1)
    with pytest.raises(TooManyModels):
        await other.put("b", DEFAULT, lambda _: None)
    read = await one.read()
    assert (read.number, [model.name for model in read.models], read.defaults) == (1, ["a"], {})


async def test_vectors_are_remembered_beyond_their_model_and_a_digest_that_is_known_stays(replicas: Replicas) -> None:
    one, other = replicas
    seen: list[Vectors | None] = []
    await one.put("a", CHAT, seen.append)
    await one.remember("a", Vectors({"kind": "embedding"}, "sha256:a"))
    await other.remember("a", Vectors({"kind": "embedding", "dimensions": 4}))
    await other.delete("a")
    await other.put("a", CHAT, seen.append)
    assert seen == [None, Vectors({"kind": "embedding", "dimensions": 4}, "sha256:a")]


async def test_models_of_the_release_before_keep_their_names(tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "inference")
    earlier = tmp_path / "migrations" / "versions"
    earlier.mkdir(parents=True)
    copy(MIGRATIONS / "versions" / "0001_models.py", earlier)
    await migrate(database, earlier.parent)
    entries = {"words": {"kind": "embedding", "dimensions": 4}, "talker": {"kind": "chat"}}
    async with database.write() as connection:
        rows = [{"name": name, "declaration": entry, "created_at": NOW} for name, entry in entries.items()]
        await connection.execute(insert(MODELS), rows)
    await migrate(database, MIGRATIONS)
    seen: list[Vectors | None] = []
    for name in entries:
        await DeclarationRepository(database, SystemClock()).put(name, CHAT, seen.append)
    assert seen == [Vectors(entries["words"]), None]
    await database.close()
