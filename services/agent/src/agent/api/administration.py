"""What concerns all tenants: only the gateway asks for it, for an administrator."""

from __future__ import annotations

from typing import Annotated

from agent.api.access import Runtime
from agent.threads import retention
from contracts.access.tenancy import TenantKeys
from contracts.core.base import Name
from servicekit.auth.delegation import Caller, check_tenant_admin, require, require_installation
from servicekit.backup import tables as backup_tables
from servicekit.streams.response import OpenedStream
from servicekit.web.router import Router

router = Router(prefix="/v1", tags=["installation"])
Installation = Annotated[Caller, require_installation("agent")]
TenantAdmin = Annotated[Caller, require("agent", "admin")]
MEDIA_TYPE = "application/x-tar"


@router.get("/backup", response_class=OpenedStream)
async def backup(_: Installation, runtime: Runtime) -> OpenedStream:
    """This service's members of a backup, of the moment at which the answer begins."""
    return OpenedStream(lambda: backup_tables.open_part(runtime.database, "agent"), MEDIA_TYPE)


@router.post("/tenants/{name}/purge", status_code=204)
async def delete_tenant(name: Name, body: TenantKeys, caller: TenantAdmin, runtime: Runtime) -> None:
    """Remove all that a tenant has here."""
    check_tenant_admin(caller, name)
    await retention.delete_tenant(runtime.database, name, body.key_ids)
