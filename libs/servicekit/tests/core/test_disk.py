"""A full disk, whoever says so: the kernel, SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from asyncpg.exceptions import DiskFullError
from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from servicekit.core.disk import DiskRoom
from servicekit.core.errors import DiskFull
from servicekit.core.probes import Degraded
from servicekit.core.settings import ServiceSettings
from servicekit.sql.database import Database
from servicekit.web.app import build_app

MORE_THAN_ANY = 2**60


def _kernel() -> None:
    """The kernel's own full device."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")


async def _sqlite(folder: Path) -> None:
    """A database that may have no more pages."""
    database = Database.open(None, folder, "small")
    try:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE t (c TEXT)"))
            await connection.execute(text("PRAGMA max_page_count=8"))
            await connection.execute(text("INSERT INTO t VALUES (:long)"), {"long": "x" * 100_000})
    finally:
        await database.close()


def _postgres() -> None:
    raise DBAPIError("INSERT", {}, DiskFullError("could not extend file"))


def _app(folder: Path, reserve: int) -> Iterator[TestClient]:
    router = APIRouter()

    @router.post("/{how}")
    async def store(how: str) -> None:
        if how == "sqlite":
            await _sqlite(folder)
        elif how == "postgres":
            _postgres()
        elif how == "several":
            raise ExceptionGroup("a batch", [ValueError(), OSError(28, "No space left on device")])
        else:
            _kernel()

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        yield

    async def blobs() -> None:
        _kernel()

    settings = ServiceSettings(data_dir=folder, disk_reserve_bytes=reserve)
    app = build_app("sample", settings=settings, opening=opening, routers=[router], probes=lambda _: {"blobs": blobs})
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    yield from _app(tmp_path, MORE_THAN_ANY)


@pytest.mark.parametrize("how", ["kernel", "sqlite", "postgres", "several"])
def test_a_full_disk_is_said_in_words_with_when_to_come_back(client: TestClient, how: str) -> None:
    answer = client.post(f"/{how}")
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (503, "overloaded", "disk_full")
    assert "disk is full" in error["message"]
    assert answer.headers["retry-after"] == "30"


def test_readyz_says_that_the_disk_is_full_and_a_service_that_can_read_stays_ready(client: TestClient) -> None:
    ready = client.get("/readyz")
    parts = ready.json()["parts"]
    assert ready.status_code == 200
    assert "MB are free" in parts["disk"]["detail"]
    assert "disk is full" in parts["blobs"]["detail"]


async def test_a_reserve_is_left_alone_and_small_things_may_use_most_of_it(tmp_path: Path) -> None:
    free = DiskRoom(tmp_path, 0).free_bytes
    room = DiskRoom(tmp_path / "not made yet", free * 4)
    room.check_small()
    with pytest.raises(DiskFull):
        room.check()
    with pytest.raises(Degraded):
        await room.probe()
    half = DiskRoom(tmp_path, free // 2)
    half.check()
    await half.probe()
    with pytest.raises(DiskFull):
        half.check(free)
    with pytest.raises(DiskFull):
        DiskRoom(tmp_path, free * 16).check_small()
    DiskRoom(tmp_path, 0).check(free * 2)
