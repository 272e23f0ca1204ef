from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from services.ingest.tests.conftest import Service
from services.ingest.tests.export.backups import backed_up, service_of, written
from sqlalchemy.exc import OperationalError

from ingest.errors import BackupCantBegin
from ingest.export import backup as backups
from ingest.export.backup import WITHOUT
from servicekit.backup.file import BackupFile
from servicekit.core.errors import NotReady


def ids(file: BackupFile) -> list[str]:
    """Of the documents in it."""
    return [
        json.loads(line)["id"]
        for _, content in file.members("ingest/sql/documents/")
        for line in content.read().splitlines()
    ]


async def test_a_backup_holds_all_rows_and_each_blob_that_they_name_once(service: Service, tmp_path: Path) -> None:
    for name in ("a", "b"):
        await service.upload("The same words.", document_id=name)
    await service.work_all()
    file = await backed_up(service, tmp_path / "backup.tar")
    assert file.check().services == ["ingest", "retriever"]
    blobs = {name: content.read() for name, content in file.members("ingest/blobs/")}
    assert blobs == service.blobs._blobs
    assert ids(file) == ["a", "b"]


async def test_what_lasts_only_as_long_as_a_process_is_left_out(service: Service, tmp_path: Path) -> None:
    await service.worker.registry.announce("worker", 2, service.clock.now(), reading="alike")
    file = await backed_up(service, tmp_path / "backup.tar")
    tables = {name.partition("/")[0] for name, _ in file.members("ingest/sql/")}
    assert tables.isdisjoint(WITHOUT)


async def test_all_is_of_the_moment_at_which_it_began(service: Service, tmp_path: Path) -> None:
    await service.upload("Before.", document_id="before")
    async with service_of(service).opened("token") as pieces:
        await service.upload("After.", document_id="after")
        file = await written(pieces, service, tmp_path / "backup.tar")
    assert ids(file) == ["before"]


async def test_jobs_are_not_held_still_for_a_retriever_that_does_not_begin(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "BEGIN_SECONDS", 0.0)

    @asynccontextmanager
    async def hangs(token: str) -> AsyncIterator[AsyncIterator[bytes]]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    monkeypatch.setattr(service.index, "backup", hangs)
    with pytest.raises(BackupCantBegin):
        async with service_of(service).opened("token"):
            pass
    await service.upload("Jobs are written again.")


async def nothing() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize(("refusals", "begins"), [(2, True), (3, False)])
async def test_a_table_that_jobs_hold_is_waited_for_and_not_for_ever(
    service: Service, monkeypatch: pytest.MonkeyPatch, refusals: int, begins: bool
) -> None:
    left = refusals
    original = service.index.backup

    @asynccontextmanager
    async def held(token: str) -> AsyncIterator[AsyncIterator[bytes]]:
        nonlocal left
        if left:
            left -= 1
            raise OperationalError("LOCK TABLE jobs", None, Exception("lock timeout"))
        async with original(token) as pieces:
            yield pieces

    monkeypatch.setattr(backups, "TRIES", 3)
    monkeypatch.setattr(service.index, "backup", held)
    if begins:
        async with service_of(service).opened("token"):
            pass
    else:
        with pytest.raises(BackupCantBegin):
            async with service_of(service).opened("token"):
                pass


async def test_a_retriever_that_is_away_says_so_and_holds_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @asynccontextmanager
    async def away(token: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if token:
            raise NotReady("The retriever is away.")
        yield nothing()

    with monkeypatch.context() as patch:
        patch.setattr(service.index, "backup", away)
        with pytest.raises(NotReady):
            async with service_of(service).opened("token"):
                pass
    (await backed_up(service, tmp_path / "backup.tar")).check()
