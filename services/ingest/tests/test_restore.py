from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from services.ingest.tests.conftest import Service
from services.ingest.tests.export.backups import backed_up
from sqlalchemy import select

from ingest.restore import restore
from ingest.settings import IngestSettings
from ingest.stores import open_blobs, open_database
from ingest.tables import DOCUMENTS, JOBS
from servicekit.backup.tables import NotEmpty


@pytest.fixture
async def settings(tmp_path: Path) -> IngestSettings:
    """Of a place where there is nothing yet."""
    return IngestSettings(data_dir=tmp_path / "new")


@asynccontextmanager
async def at_work(service: Service) -> AsyncIterator[None]:
    """With one document that is ready and one that a worker has just claimed."""
    await service.upload("Ready words.", document_id="ready")
    await service.work_all()
    await service.upload("Words at work.", document_id="working")
    assert await service.worker.queue.claim("worker") is not None
    yield


async def test_what_was_backed_up_is_there_again_and_what_was_at_work_goes_on_at_once(
    service: Service, settings: IngestSettings, tmp_path: Path
) -> None:
    async with at_work(service):
        backup = await backed_up(service, tmp_path / "backup.tar")
    await restore(settings, backup)
    async with open_database(settings) as database, open_blobs(settings, database) as blobs:
        async with database.read() as connection:
            documents = (await connection.execute(select(DOCUMENTS.c.id, DOCUMENTS.c.status))).all()
            jobs = (await connection.execute(select(JOBS).order_by(JOBS.c.id))).mappings().all()
        assert {tuple(row) for row in documents} == {("ready", "ready"), ("working", "processing")}
        assert [(job["lease_owner"], job["lease_expires_at"]) for job in jobs] == [(None, None)] * 2
        assert {key: await blobs.read(key) for key in service.blobs._blobs} == service.blobs._blobs


async def test_a_restore_that_was_cut_off_is_run_again_and_one_that_was_done_overwrites_nothing(
    service: Service, settings: IngestSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(service):
        backup = await backed_up(service, tmp_path / "backup.tar")

    async def cut_off(*_: object, **__: object) -> None:
        raise OSError("the machine went down")

    with monkeypatch.context() as patch:
        patch.setattr("ingest.restore.backup_tables.load", cut_off)
        with pytest.raises(OSError, match="went down"):
            await restore(settings, backup)
    await restore(settings, backup)
    with pytest.raises(NotEmpty, match="Restoring overwrites nothing"):
        await restore(settings, backup)
