"""Collections."""

from __future__ import annotations

from fastapi import status

from contracts.base import Name
from contracts.collections import Collection, CollectionChange, CollectionCreate
from contracts.pages import Page
from retriever.api.access import Asker, Deleter, Limit, Opened, RetrieverCaller, allowed_collection, check_allowed
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.web.router import Router

router = Router(prefix="/v1/collections", tags=["collections"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_collection(body: CollectionCreate, caller: RetrieverCaller, opened: Opened) -> Collection:
    """Make a collection."""
    check_allowed(caller, body.name)
    return await opened.collections.create_collection(caller.tenant, body, caller.token)


@router.get("")
async def list_collections(
    caller: Asker, opened: Opened, limit: Limit = 100, cursor: str | None = None
) -> Page[Collection]:
    """The collections that the caller may use, by name."""
    after = str(decode_cursor(cursor, str)[0]) if cursor else ""
    records = await opened.collection_repository.list_collections(
        caller.tenant, after, limit + 1, caller.delegation.collections
    )
    shown = await opened.collection_repository.describe_collections(records[:limit])
    more = encode_cursor(shown[-1].name) if len(records) > limit else None
    return Page[Collection](data=shown, next_cursor=more)


@router.get("/{name}")
async def get_collection(name: Name, caller: Asker, opened: Opened) -> Collection:
    """One collection."""
    return await opened.collections.describe_collection(await allowed_collection(caller, opened, name))


@router.patch("/{name}")
async def update_collection(name: Name, body: CollectionChange, caller: RetrieverCaller, opened: Opened) -> Collection:
    """Change how a collection is described and searched."""
    check_allowed(caller, name)
    changed = await opened.collection_repository.update_collection(caller.tenant, name, body)
    return (await opened.collection_repository.describe_collections([changed]))[0]


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_collection(name: Name, caller: Deleter, opened: Opened) -> None:
    """Remove a collection and everything in it; removing it again does nothing."""
    check_allowed(caller, name)
    await opened.collections.delete_collection(caller.tenant, name)
