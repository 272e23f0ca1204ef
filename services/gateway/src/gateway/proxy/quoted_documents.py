"""Records of answers that quote what is deleted: they go, too, where the collection says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from contracts.operations.documents import DELETE_COLLECTION, DELETE_DOCUMENT
from contracts.operations.operation import Operation
from contracts.retrieval.collections import Collection
from gateway.auth.keys import Principal
from gateway.auth.tokens import COLLECTIONS
from gateway.dependencies import Dependencies
from gateway.streaming.exchange import Exchange
from servicekit.core.errors import ServiceError


async def deletion_of_records(
    exchange: Exchange, deps: Dependencies, principal: Principal, spec: Operation[Any]
) -> Callable[[], Awaitable[None]]:
    """What removes the records that quote what a call deletes, or where the collection keeps them notes that they do.

    It is called before the deletion, so that a call that is made again after a crash ends the work, and after it.
    """
    if spec not in (DELETE_DOCUMENT, DELETE_COLLECTION):
        return _nothing
    tenant, name = principal.tenant, exchange.path_params["name"]
    await deps.feedback.link(tenant)  # while there are records that say which feedback goes, too
    token = deps.issuer.token(principal, COLLECTIONS, exchange.request_id)
    try:
        collection = await deps.peers.retriever.call("GET", f"/v1/collections/{name}", Collection, token=token)
    except ServiceError:
        return _nothing  # the deletion itself says what is wrong

    async def delete() -> None:
        document, goes = exchange.path_params.get("id"), collection.delete_records
        await deps.records.delete_records_of_document(tenant, name, document, with_records=goes)

    return delete


async def _nothing() -> None:
    """Nothing is deleted."""
