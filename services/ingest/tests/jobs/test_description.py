from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import update

from ingest.jobs import service as jobs
from ingest.jobs.description import POSITIONS, to_job
from ingest.tables import DOCUMENTS

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


async def test_a_job_that_leaves_the_queue_while_it_is_asked_for_is_shown_without_a_place(service: Service) -> None:
    accepted = await service.upload("The word.")
    assert accepted.job is not None
    async with service.database.read() as connection:
        row = await jobs.get_job(connection, "acme", accepted.job["id"])
        state = await POSITIONS.read(connection, [row], service.clock.now())
    assert to_job(state, row).queue_position == 1
    left = replace(state, tenants={})  # its tenant's last one, claimed and done between the two questions
    assert to_job(left, row).queue_position is None


async def test_a_waiting_job_tells_its_place_and_what_it_waits_for(service: Service) -> None:
    await service.collection("handbook", tenant="globex")
    accepted = [await service.upload(f"text {number}") for number in range(5)]
    theirs = await service.upload("theirs", tenant="globex")
    assert theirs.job is not None
    assert (await service.job(theirs.job["id"], "globex")).waiting_on == "worker"
    await service.worker.registry.announce("worker", 2, service.clock.now(), reading="alike")
    places = [(await service.job(each.job["id"])).queue_position for each in accepted if each.job]
    assert places == [1, 3, 4, 5, 6]
    assert (await service.job(theirs.job["id"], "globex")).queue_position in (1, 2)
    last = accepted[-1].job
    assert last is not None
    assert (await service.job(last["id"])).waiting_on == "earlier_jobs"


async def test_a_job_says_the_title_of_its_document_until_that_is_deleted(service: Service) -> None:
    accepted = await service.upload("The word.", title="A letter")
    assert accepted.job is not None
    assert (await service.job(accepted.job["id"])).title == "A letter"
    async with service.database.write() as connection:
        deleted = update(DOCUMENTS).values(deleted_at=service.clock.now())
        await connection.execute(deleted.where(DOCUMENTS.c.key == accepted.job["document_key"]))
    assert (await service.job(accepted.job["id"])).title == ""
