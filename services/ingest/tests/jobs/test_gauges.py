"""Jobs are counted by the API, whether or not a worker lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from contracts.retrieval.collections import Chunking
from contracts.retrieval.reindex import ReindexRequest
from ingest.jobs import gauges
from ingest.jobs.reindexes import create_reindex

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


def figure(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"groundwork_ingest_{name}", labels)


async def test_jobs_are_counted_once_however_many_workers_live_and_said_to_be_abandoned_with_none(
    service: Service,
) -> None:
    for number in range(3):
        await service.upload(f"text {number}")
    service.clock.advance(40)

    async def measured() -> None:
        async with service.database.read() as connection:
            await gauges.measure(connection, service.clock)

    await measured()
    assert (figure("jobs", status="queued"), figure("workers"), figure("jobs_without_worker")) == (3, 0, 3)
    assert figure("oldest_queued_seconds") == 40
    for owner in ("first", "second"):
        await service.worker.registry.announce(owner, 2, service.clock.now(), reading="alike")
    await measured()
    assert (figure("jobs", status="queued"), figure("workers"), figure("jobs_without_worker")) == (3, 2, 0)
    service.clock.advance(31)
    await measured()
    assert (figure("workers"), figure("jobs_without_worker")) == (0, 3)


async def test_an_index_that_waits_to_be_cancelled_waits_for_no_worker(service: Service) -> None:
    await service.upload("text")
    await service.work_all()
    wanted = ReindexRequest(chunking=Chunking(strategy="fixed", max_tokens=32), switch=False)
    async with service.database.write() as connection:
        await create_reindex(connection, service.job_owner(), "handbook", wanted, service.clock.now())
    await service.work_all()
    service.clock.advance(3600)
    async with service.database.read() as connection:
        await gauges.measure(connection, service.clock)
    assert (figure("jobs", status="queued"), figure("oldest_queued_seconds")) == (0, 0)
    assert figure("jobs_without_worker") == 0
