"""What concerns all tenants: only the gateway asks for it, for an administrator."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from contracts.access.tenancy import TenantKeys
from contracts.core.base import Name
from contracts.documents.documents import DeletedDocument
from lab.api.access import Generating, Library, Runs, Trials, Tunings
from lab.once import delete_answers
from servicekit.auth.delegation import Caller, check_tenant_admin, require, require_installation
from servicekit.backup import tables as backup_tables
from servicekit.sql.database import Database
from servicekit.streams.response import OpenedStream
from servicekit.web.router import Router

router = Router(prefix="/v1", tags=["installation"])
Installation = Annotated[Caller, require_installation("lab")]
TenantAdmin = Annotated[Caller, require("lab", "admin")]
Deleter = Annotated[Caller, require("lab", "documents")]
MEDIA_TYPE = "application/x-tar"


async def _database(request: Request) -> Database:
    opened: Database = request.app.state.dependencies.database
    return opened


@router.get("/backup", response_class=OpenedStream)
async def backup(_: Installation, database: Annotated[Database, Depends(_database)]) -> OpenedStream:
    """This service's members of a backup, of the moment at which the answer begins."""
    return OpenedStream(lambda: backup_tables.open_part(database, "lab"), MEDIA_TYPE)


@router.post("/tenants/{name}/purge", status_code=204)
async def delete_tenant(
    name: Name,
    body: TenantKeys,
    caller: TenantAdmin,
    sets: Library,
    runs: Runs,
    sweeps: Trials,
    generations: Generating,
    tuning: Tunings,
) -> None:
    """Remove all that a tenant has here, also from the disk."""
    check_tenant_admin(caller, name)
    await tuning.delete_tenant(name)
    await generations.delete_tenant(name)
    await sweeps.delete_tenant(name)
    await runs.delete_tenant(name)
    await sets.delete_tenant(name)
    await delete_answers(sets.database, body.key_ids)
    await sets.database.clean()


@router.post("/documents/deleted", status_code=204)
async def delete_document(body: DeletedDocument, caller: Deleter, generations: Generating) -> None:
    """Remove what was made of a document, or of all in a collection, and is in no version. Sets are copies: what was
    saved stays."""
    await generations.delete_document(caller.tenant, body.collection, body.document_id, body.deleted_at)
