from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ingest.jobs import service as jobs
from ingest.jobs.description import POSITIONS, to_job

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
