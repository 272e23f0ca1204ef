from __future__ import annotations

import asyncio

import pytest
from services.ingest.tests.conftest import Service
from sqlalchemy import inspect, select

from contracts.core.errors import ErrorBody
from contracts.retrieval.collections import CollectionCreate
from ingest.blobs.references import delete_unreferenced
from ingest.documents import tenants
from ingest.documents.collections import add_collection
from ingest.tables import BACKUP_LOCK, metadata
from ingest.testing.gateway import MemoryPlatform
from servicekit.backup.lock import BackupLock
from servicekit.core.errors import PeerError
from servicekit.jobs.tables import JobOwner

DAY = 86_400


ADMIN = JobOwner("operators", "key-admin", "req_admin", "grant-admin")


KEY_IDS = ["key-acme"]


def platform(service: Service) -> MemoryPlatform:
    found = service.worker.kind.tenant_deletion.platform
    assert isinstance(found, MemoryPlatform)
    return found


async def begin(service: Service) -> str:
    row = await tenants.begin_deletion(service.database, service.clock, ADMIN, "acme", KEY_IDS)
    return str(row["id"])


async def rows_naming(service: Service, word: str) -> set[str]:
    """The tables that have it in any row."""
    found = set()
    async with service.database.read() as connection:
        there = set(await connection.run(lambda plain: inspect(plain).get_table_names()))
        for table in metadata.sorted_tables:
            if table.name in there:
                found |= {table.name for row in await connection.execute(select(table)) if word in str(row)}
    return found


async def used(service: Service) -> None:
    """A tenant with two collections, replaced and deleted documents, a failed job and one that waits."""
    await service.index.create_collection("token", CollectionCreate(name="minutes"))
    await add_collection(service.database, "acme", "minutes")
    for text, where in (("Acme word.", "handbook"), ("Acme other word.", "handbook"), ("Acme minutes.", "minutes")):
        await service.upload(text, document_id="doc", collection=where)
        await service.work_all()
    await service.collection(tenant="other")
    await service.upload("Of another tenant.", tenant="other")
    await service.upload("Acme waits.", document_id="waiting")


async def let_calls_end(service: Service) -> None:
    service.clock.advance(61)
    await service.work_all()


async def test_everything_goes_at_once_and_again_when_late_calls_must_be_over(service: Service) -> None:
    await used(service)
    job_id = await begin(service)
    await service.work_all()
    assert await rows_naming(service, "acme") == {"jobs", "tenant_deletions"}, "the deletion itself still names it"
    assert not [key for key in service.blobs._blobs if key.startswith("acme/")]
    job = await service.job(job_id, "operators")
    assert (job.kind, job.status, job.stage) == ("tenant_deletion", "queued", "deleting")
    assert platform(service).forgotten == []
    await add_collection(service.database, "acme", "handbook")
    await service.upload("Late.", document_id="late")  # a call that was under way
    await let_calls_end(service)
    assert await rows_naming(service, "acme") == set()
    assert not [key for key in service.blobs._blobs if key.startswith("acme/")]
    assert platform(service).forgotten == ["acme"]
    assert (await service.job(job_id, "operators")).status == "ready"
    assert await rows_naming(service, "other"), "another tenant's rows stay"


async def test_a_deletion_whose_worker_dies_goes_on_from_there(service: Service) -> None:
    await used(service)
    job_id = await begin(service)
    claimed = await service.worker.queue.claim("dies")
    while claimed is not None and claimed.row["id"] != job_id:
        await service.worker.runner.run(claimed, asyncio.Event())
        claimed = await service.worker.queue.claim("dies")
    assert claimed is not None
    gone = service.index.delete_collection

    async def dies(token: str, name: str) -> None:
        await gone(token, name)
        raise KeyboardInterrupt

    service.index.delete_collection = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await service.worker.kind.tenant_deletion.carry_out(claimed.row, claimed.lease, "token")
    service.index.delete_collection = gone  # type: ignore[method-assign]
    service.clock.advance(61)
    await service.work_all()
    assert await rows_naming(service, "acme") == set()
    assert (await service.job(job_id, "operators")).status == "ready"


async def test_it_waits_for_whoever_is_away_and_never_gives_up(service: Service) -> None:
    job_id = await begin(service)

    class Away(MemoryPlatform):
        async def delete_tenant(self, token: str, tenant: str) -> None:
            raise PeerError(503, ErrorBody(type="overloaded", code="agent_unreachable", message="away"), None)

    deletion = service.worker.kind.tenant_deletion
    object.__setattr__(deletion, "platform", Away())
    service.clock.advance(3 * DAY)
    await service.work_all()
    job = await service.job(job_id, "operators")
    assert (job.status, job.waiting_on) == ("queued", "agent")
    object.__setattr__(deletion, "platform", MemoryPlatform())
    await let_calls_end(service)
    assert (await service.job(job_id, "operators")).status == "ready"


async def test_while_a_backup_is_read_bytes_stay_and_a_tenant_s_deletion_waits(service: Service) -> None:
    await used(service)
    await service.work_all()
    before = dict(service.blobs._blobs)
    async with BackupLock(BACKUP_LOCK, service.database).hold():
        await delete_unreferenced(service.database, service.blobs, "acme", list(before))
        job_id = await begin(service)
        await service.work_all()
        assert service.blobs._blobs == before
        assert (await service.job(job_id, "operators")).waiting_on == "backup"
    await let_calls_end(service)
    assert (await service.job(job_id, "operators")).status == "ready"
