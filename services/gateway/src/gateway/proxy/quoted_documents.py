"""Records of answers that quote what is deleted: they go, too, where the collection says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from contracts.operations.documents import DELETE_COLLECTION, DELETE_DOCUMENT
from contracts.operations.operation import Operation
from contracts.retrieval.collections import Collection
from gateway.auth.keys import Principal
from gateway.auth.tokens import COLLECTIONS
from gateway.dependencies import Dependencies
from gateway.streaming.exchange import Exchange
from servicekit.core.errors import PeerError


async def _nothing() -> None:
    """Nothing is deleted."""


@dataclass(frozen=True, slots=True)
class QuotingRecords:
    """What is to be done about the records that quote what a call deletes.

    `precede` is for records that go: a call that is made again after a crash ends the work. `follow` is for a call that
    has succeeded, or found nothing: records that were made meanwhile go, too, and where the collection keeps them it is
    noted that they quote what is gone. A deletion that failed withholds nothing.
    """

    precede: Callable[[], Awaitable[None]] = _nothing
    follow: Callable[[], Awaitable[None]] = _nothing


async def records_that_quote(
    exchange: Exchange, deps: Dependencies, principal: Principal, spec: Operation[Any]
) -> QuotingRecords:
    """Those of a deletion, none for other calls. Raises what keeps the retriever from saying whether records go:
    nothing was deleted yet, and the caller tries again."""
    if spec not in (DELETE_DOCUMENT, DELETE_COLLECTION):
        return QuotingRecords()
    tenant, name = principal.tenant, exchange.path_params["name"]
    if not principal.allows_collection(name):
        return QuotingRecords()  # the deletion itself says what is wrong
    await deps.feedback.link(tenant)  # while there are records that say which feedback goes, too
    token = deps.issuer.token(principal, COLLECTIONS, exchange.request_id)
    goes = False
    try:
        path = f"/v1/collections/{name}"
        goes = (await deps.peers.retriever.call("GET", path, Collection, token=token)).delete_records
    except PeerError as error:
        if error.http_status == HTTPStatus.FORBIDDEN:
            return QuotingRecords()
        if error.http_status != HTTPStatus.NOT_FOUND:  # gone by a call before, which has removed what goes with it
            raise

    async def delete() -> None:
        document = exchange.path_params.get("id")
        await deps.records.delete_records_of_document(tenant, name, document, with_records=goes)

    return QuotingRecords(delete if goes else _nothing, delete)
