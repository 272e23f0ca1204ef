"""Collections."""

from __future__ import annotations

from fastapi import status

from contracts.core.base import Name
from contracts.core.pages import Page
from contracts.retrieval.collections import Collection, CollectionChange, CollectionCreate, ModelBinding
from retriever.api.access import Deleter, Deps, Limit, RetrieverCaller, Viewer, allowed_collection, check_allowed
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.web.router import Router

router = Router(prefix="/v1/collections", tags=["collections"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_collection(body: CollectionCreate, caller: RetrieverCaller, deps: Deps) -> Collection:
    """Make a collection."""
    check_allowed(caller, body.name)
    return await deps.collections.create_collection(caller.tenant, body, caller.token)


@router.get("")
async def list_collections(
    caller: Viewer, deps: Deps, limit: Limit = 100, cursor: str | None = None
) -> Page[Collection]:
    """The collections that the caller may use, by name."""
    after = str(decode_cursor(cursor, str)[0]) if cursor else ""
    records = await deps.collection_repository.list_collections(
        caller.tenant, after, limit + 1, caller.delegation.collections
    )
    shown = await deps.collection_repository.describe_collections(records[:limit])
    more = encode_cursor(shown[-1].name) if len(records) > limit else None
    return Page[Collection](data=shown, next_cursor=more)


@router.get("/{name}")
async def get_collection(name: Name, caller: Viewer, deps: Deps) -> Collection:
    """One collection."""
    return await deps.collections.describe_collection(await allowed_collection(caller, deps, name))


@router.post("/{name}/binding")
async def bind_collection(name: Name, body: ModelBinding, caller: RetrieverCaller, deps: Deps) -> Collection:
    """The collection with an embedding model: chosen by this text of its first document, if it has none yet."""
    record = await allowed_collection(caller, deps, name)
    bound = await deps.collections.bind_collection(record, body.text, caller.token)
    return (await deps.collection_repository.describe_collections([bound]))[0]


@router.patch("/{name}")
async def update_collection(name: Name, body: CollectionChange, caller: RetrieverCaller, deps: Deps) -> Collection:
    """Change how a collection is described and searched."""
    check_allowed(caller, name)
    changed = await deps.collection_repository.update_collection(caller.tenant, name, body)
    return (await deps.collection_repository.describe_collections([changed]))[0]


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_collection(name: Name, caller: Deleter, deps: Deps) -> None:
    """Remove a collection and everything in it; removing it again does nothing."""
    check_allowed(caller, name)
    await deps.collections.delete_collection(caller.tenant, name)
