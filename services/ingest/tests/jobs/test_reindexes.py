from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import RowMapping, select, update

from contracts.retrieval.collections import Chunking
from contracts.retrieval.reindex import ReindexRequest
from ingest.errors import CollectionDeleting, ReindexRunning
from ingest.jobs.lifecycle import end_live
from ingest.jobs.reindexes import create_reindex, removal_job, shadow_key
from ingest.tables import COLLECTIONS, JOBS

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

TO_OTHER = ReindexRequest(embedding_model="other")
TO_RECUT = ReindexRequest(chunking=Chunking(strategy="fixed", max_tokens=32))


async def start(service: Service, wanted: ReindexRequest = TO_OTHER, tenant: str = "acme") -> RowMapping:
    async with service.database.write() as connection:
        return await create_reindex(connection, service.job_owner(tenant), "handbook", wanted, service.clock.now())


async def test_one_reindex_of_a_collection_at_a_time(service: Service) -> None:
    first = await start(service)
    with pytest.raises(ReindexRunning, match="Wait for that job or cancel it"):
        await start(service, TO_RECUT)
    async with service.database.write() as connection:
        await end_live(connection, JOBS.c.id == first["id"], None, service.clock.now())
    await start(service, TO_RECUT)


async def test_another_tenant_s_collection_of_the_same_name_is_another_one(service: Service) -> None:
    await service.collection(tenant="globex")
    await start(service)
    assert (await start(service, tenant="globex"))["tenant"] == "globex"


async def test_a_collection_on_its_way_out_takes_no_reindex(service: Service) -> None:
    async with service.database.write() as connection:
        await connection.execute(update(COLLECTIONS).values(deletion_job="job_1"))
    with pytest.raises(CollectionDeleting):
        await start(service)
    async with service.database.read() as connection:
        assert (await connection.execute(select(JOBS))).all() == []


async def test_a_job_keeps_only_what_is_to_change(service: Service) -> None:
    row = await start(service, TO_RECUT)
    assert set(row["details"]) == {"chunking"}
    assert ReindexRequest.model_validate(row["details"]) == TO_RECUT


async def test_each_try_builds_a_shadow_of_its_own_which_its_removal_names(service: Service) -> None:
    row = dict(await start(service))
    again = row | {"revision": 2}
    assert shadow_key(row) != shadow_key(again)
    removal = removal_job(again, service.clock.now())
    assert removal["details"] == {"key": shadow_key(again)}
    same = ("tenant", "collection", "request_id", "grant_token", "grant_key_id")
    assert {name: removal[name] for name in same} == {name: row[name] for name in same}
