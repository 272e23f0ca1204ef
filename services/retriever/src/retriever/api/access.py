"""What every route needs: the caller, the dependencies, and whether the caller may use a collection."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from contracts.access.delegation import Scope
from retriever.catalog.collections import CollectionRecord
from retriever.dependencies import Dependencies
from retriever.errors import CollectionNotAllowed
from servicekit.auth.delegation import Caller, require

SEARCHERS: tuple[Scope, ...] = ("search", "chat", "agents")
RetrieverCaller = Annotated[Caller, require("retriever", "documents")]
Reader = Annotated[Caller, require("retriever", "documents", "search")]
Viewer = Annotated[Caller, require("retriever", *SEARCHERS, "documents", "admin")]
"""Who asks what there is: answers and runs search with their caller's own scopes, a tenant's deletion lists."""
Searcher = Annotated[Caller, require("retriever", *SEARCHERS)]
Deleter = Annotated[Caller, require("retriever", "documents", "admin")]
TenantAdmin = Annotated[Caller, require("retriever", "admin")]
Limit = Annotated[int, Query(ge=1, le=500)]


async def _dependencies(request: Request) -> Dependencies:
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


Deps = Annotated[Dependencies, Depends(_dependencies)]


def check_allowed(caller: Caller, name: str) -> None:
    """Raise `CollectionNotAllowed` when the caller's key is restricted to other collections."""
    if not caller.delegation.allows_collection(name):
        raise CollectionNotAllowed(name)


async def allowed_collection(caller: Caller, deps: Dependencies, name: str) -> CollectionRecord:
    """The caller's collection; raises `CollectionNotAllowed` or `CollectionNotFound`."""
    check_allowed(caller, name)
    return await deps.collection_repository.get_collection(caller.tenant, name)
