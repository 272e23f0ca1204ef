"""Who calls, and what every route needs: the caller, the dependencies, the right to use a collection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from contracts.access.delegation import Delegation
from contracts.core.base import Name
from ingest.dependencies import Dependencies
from ingest.documents import collections
from ingest.errors import CollectionNotAllowed, GrantMissing
from servicekit.auth.delegation import Caller, require
from servicekit.jobs.tables import JobOwner

TenantAdmin = Annotated[Caller, require("ingest", "admin")]
Reader = Annotated[Caller, require("ingest", "documents", "search")]
Authorised = Annotated[Caller, require("ingest", "documents")]
CollectionName = Annotated[Name, Path()]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500)]
Grant = Annotated[str | None, Header(alias="Groundwork-Grant", max_length=16_384)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]


def _dependencies(request: Request) -> Dependencies:
    opened: Dependencies = request.app.state.dependencies
    return opened


Opened = Annotated[Dependencies, Depends(_dependencies)]


def check_collection(caller: Caller, name: str) -> None:
    """Raise `CollectionNotAllowed` where the key is limited to other collections."""
    if not caller.delegation.allows_collection(name):
        raise CollectionNotAllowed(name)


async def enter_collection(caller: Caller, opened: Dependencies, name: str, body: Mapping[str, str]) -> None:
    """Make sure, before documents come in, that there is room for them and that ingest knows the collection.

    `body` is the call's headers. Raises `DiskFull`, or that there is no such collection.
    """
    length = body.get("content-length", "")
    await asyncio.to_thread(opened.room.check, int(length) if length.isdecimal() else 0)
    if not await collections.is_known(opened.database, caller.tenant, name):
        await opened.index.get_collection(caller.token, name)
        await collections.add_collection(opened.database, caller.tenant, name)


def job_owner(caller: Caller, grant: str | None) -> JobOwner:
    """For whom a job works; the grant may be missing where the job ends within the call."""
    delegation: Delegation = caller.delegation
    return JobOwner(delegation.tenant, delegation.key_id, delegation.request_id, grant or None)


def lasting_job_owner(caller: Caller, grant: str | None) -> JobOwner:
    """The same for a job that goes on after the call; raises `GrantMissing`."""
    if not grant:
        raise GrantMissing
    return job_owner(caller, grant)
