from __future__ import annotations

import pytest
from services.ingest.tests.conftest import Service

from ingest.documents import tenants
from ingest.documents.collections import is_known
from ingest.errors import JobCommitting, TenantDeleting
from ingest.jobs import service as jobs
from servicekit.jobs.tables import JobOwner

ADMIN = JobOwner("operators", "key-admin", "req_admin", "grant-admin")


KEY_IDS = ["key-acme"]


async def begin(service: Service) -> str:
    row = await tenants.begin_deletion(service.database, service.clock, ADMIN, "acme", KEY_IDS)
    return str(row["id"])


async def test_nothing_is_taken_in_for_a_tenant_that_is_being_deleted(service: Service) -> None:
    await begin(service)
    with pytest.raises(TenantDeleting):
        await is_known(service.database, "acme", "handbook")
    assert await is_known(service.database, "other", "handbook") is False


async def test_asking_again_gives_the_same_job_a_fresh_grant_and_none_can_cancel_it(service: Service) -> None:
    first = await begin(service)
    fresh = JobOwner("operators", "key-new", "req_2", "grant-new")
    again = await tenants.begin_deletion(service.database, service.clock, fresh, "acme", KEY_IDS)
    assert (again["id"], again["grant_token"], again["grant_key_id"]) == (first, "grant-new", "key-new")
    async with service.database.write() as connection:
        with pytest.raises(JobCommitting):
            await jobs.cancel_job(connection, again, service.clock.now())
