"""What concerns all tenants: only the gateway asks for it, for an administrator."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from contracts.access.tenancy import TenantDeletion, TenantKeys
from contracts.core.base import Name
from ingest.api.access import Grant, Opened, TenantAdmin, lasting_job_owner
from ingest.documents import tenants
from ingest.export.backup import BackupService
from ingest.jobs import service as jobs
from servicekit.auth.delegation import Caller, check_tenant_admin, require_installation
from servicekit.streams.response import OpenedStream
from servicekit.web.router import Router

router = Router(prefix="/v1", tags=["installation"])
Installation = Annotated[Caller, require_installation("ingest")]
TenantName = Annotated[Name, Path()]
MEDIA_TYPE = "application/x-tar"


@router.get("/backup", response_class=OpenedStream)
async def backup(caller: Installation, opened: Opened) -> OpenedStream:
    """Ingest's and the retriever's members of a backup, of one moment."""
    backups = BackupService(opened.database, opened.blobs, opened.index)
    return OpenedStream(lambda: backups.opened(caller.token), MEDIA_TYPE)


@router.post("/tenants/{name}/deletion", status_code=202)
async def delete_tenant(
    name: TenantName, body: TenantKeys, caller: TenantAdmin, opened: Opened, grant: Grant = None
) -> TenantDeletion:
    """Begin the deletion of a tenant, or give the one that is under way a fresh grant."""
    check_tenant_admin(caller, caller.tenant)
    lasting = lasting_job_owner(caller, grant)
    row = await tenants.begin_deletion(opened.database, opened.clock, lasting, name, body.key_ids)
    async with opened.database.read() as connection:
        job = await jobs.describe_job(connection, row, opened.clock.now())
    opened.notifier.notify(job.id, lasting.request_id)
    return TenantDeletion(job=job)
