from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update

from contracts.documents.documents import Failure
from ingest.jobs import lifecycle
from ingest.jobs.lifecycle import DELETED, end_live, new_job, set_document
from ingest.tables import DOCUMENTS, JOBS
from servicekit.jobs.leases import LeaseLost

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


async def statuses(service: Service) -> dict[str, str]:
    """By document."""
    async with service.database.read() as connection:
        rows = await connection.execute(select(JOBS.c.document_id, JOBS.c.status))
        return {row.document_id: row.status for row in rows}


async def test_a_new_job_is_due_at_once_and_none_has_the_id_of_another(service: Service) -> None:
    now = service.clock.now()
    rows = [new_job("shadow_removal", service.job_owner(), "handbook", None, now) for _ in range(2)]
    assert rows[0]["id"] != rows[1]["id"]
    async with service.database.write() as connection:
        await connection.execute(insert(JOBS).values(**rows[0], details={"key": "k"}))
    claimed = await service.worker.queue.claim("worker")
    assert claimed is not None
    assert (claimed.id, claimed.row["document_key"], claimed.row["revision"]) == (rows[0]["id"], None, 0)


async def test_a_running_job_that_is_ended_can_write_nothing_more(service: Service) -> None:
    await service.upload(document_id="a")
    claimed = await service.worker.queue.claim("worker")
    assert claimed is not None
    async with service.database.write() as connection:
        (ended,) = await end_live(connection, JOBS.c.document_id == "a", DELETED, service.clock.now())
    assert (ended["status"], ended["error"]["code"]) == ("cancelled", "deleted")
    with pytest.raises(LeaseLost):
        await claimed.write(values={"stage": "indexing"})


async def test_only_live_jobs_that_are_meant_are_ended(service: Service) -> None:
    await service.upload("Done.", document_id="done")
    await service.work_all()
    for name in ("meant", "other"):
        await service.upload(name, document_id=name)
    async with service.database.write() as connection:
        which = JOBS.c.document_id.in_(("done", "meant"))
        assert len(await end_live(connection, which, None, service.clock.now())) == 1
    assert await statuses(service) == {"done": "ready", "meant": "cancelled", "other": "queued"}


async def test_however_many_jobs_are_ended_their_grants_are_told_and_kept_of_none(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "TOGETHER", 2)
    for number in range(5):
        await service.upload(f"text {number}")
    async with service.database.write() as connection:
        ended = await end_live(connection, JOBS.c.tenant == "acme", None, service.clock.now())
        kept = (await connection.execute(select(JOBS.c.grant_token))).scalars().all()
    assert [row["grant_token"] for row in ended] == ["grant-acme"] * 5
    assert kept == [None] * 5


@pytest.mark.parametrize(
    ("revision", "statuses_of_it", "deleted", "changed"),
    [
        (1, ("queued",), False, True),
        (2, ("queued",), False, False),
        (1, ("ready",), False, False),
        (1, ("queued",), True, False),
    ],
)
async def test_a_document_is_changed_only_while_it_is_as_a_job_knows_it(
    service: Service, revision: int, statuses_of_it: tuple[str, ...], deleted: bool, changed: bool
) -> None:
    key = (await service.upload(document_id="a")).document["key"]
    error = Failure(code="malformed", message="Broken.").model_dump()
    async with service.database.write() as connection:
        if deleted:
            await connection.execute(update(DOCUMENTS).values(deleted_at=service.clock.now()))
        values = {"status": "failed", "error": error}
        assert await set_document(connection, key, revision, statuses_of_it, values) is changed
        row = (await connection.execute(select(DOCUMENTS.c.status, DOCUMENTS.c.error))).one()
    assert tuple(row) == (("failed", error) if changed else ("queued", None))
