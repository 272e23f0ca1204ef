"""What concerns all tenants: only the gateway's calls for an administrator get here, by way of ingest."""

from __future__ import annotations

from typing import Annotated

from contracts.core.base import Name
from retriever.api.access import Deps, TenantAdmin
from retriever.backup.dump import BackupDump
from servicekit.auth.delegation import Caller, check_tenant_admin, require_installation
from servicekit.streams.response import OpenedStream
from servicekit.web.router import Router

router = Router(prefix="/v1", tags=["installation"])
Installation = Annotated[Caller, require_installation("retriever")]
MEDIA_TYPE = "application/x-tar"


@router.get("/backup", response_class=OpenedStream)
async def get_backup(_: Installation, deps: Deps) -> OpenedStream:
    """The retriever's members of a backup, of the moment at which the answer begins."""
    backups = BackupDump(deps.database, deps.store, deps.collections)
    return OpenedStream(backups.open, MEDIA_TYPE)


@router.post("/tenants/{name}/purge", status_code=204)
async def delete_tenant(name: Name, caller: TenantAdmin, deps: Deps) -> None:
    """Remove all that is left of a tenant."""
    check_tenant_admin(caller, name)
    await deps.collections.delete_tenant(name)
    await deps.database.clean()
