from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import Installation
from services.gateway.tests.records.recordings import recording
from sqlalchemy import insert, select

from contracts.operations.documents import DELETE_COLLECTION, DELETE_DOCUMENT, GET_DOCUMENT
from gateway.auth.keys import Principal
from gateway.proxy.service import proxy
from gateway.records.content import rows_of
from gateway.storage.tables import deleted_documents, record_documents, records
from gateway.streaming.exchange import Relay
from servicekit.core.errors import NotReady, PeerError, ServiceError
from servicekit.peers.client import PeerUnreachable

KEY = Principal("k1", "acme", frozenset(("documents",)))
GONE = PeerError(404, NotReady("gone").body(None))
SIZES = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}, "created_at": "2026-11-01T00:00:00Z"}


@pytest.fixture(autouse=True)
async def _kept(installation: Installation) -> None:
    """A record for each of two documents, and one of another tenant."""
    deps = installation.deps
    for name, tenant, document in (("r1", "acme", "d1"), ("r2", "acme", "d2"), ("r3", "other", "d1")):
        source = {"collection": "a", "document_id": document, "revision": 1, "chunk_id": "c", "text": "t"}
        one = recording(deps.recorder, name, deps.clock.now(), tenant=tenant, sources=[source])
        deps.recorder.release(one.size)
        row, documents, _ = rows_of(one)
        async with deps.database.write() as connection:
            await connection.execute(insert(records), [row])
            await connection.execute(insert(record_documents), documents)


async def _delete(
    installation: Installation, *, says_so: bool, answer: Any, spec: Any = DELETE_DOCUMENT, shown: Any = None
) -> set[str]:
    """The records that are left. `shown`: what the retriever says of the collection."""
    known = {"name": "a", "embedding_model": "e", **SIZES, "delete_records": says_so}
    installation.retriever.answers("/v1/collections/a", shown or known)
    path = "/v1/collections/a" + ("" if spec is DELETE_COLLECTION else "/documents/d1")
    installation.ingest.answers(path, answer)
    params = {"name": "a"} if spec is DELETE_COLLECTION else {"name": "a", "id": "d1"}
    with contextlib.suppress(ServiceError):
        await proxy(Caller().at(**params).exchange, installation.deps, KEY, spec)
    async with installation.deps.database.read() as connection:
        return set((await connection.execute(select(records.c.id))).scalars())


@pytest.mark.parametrize("answer", [Streamed((), 204), GONE], ids=["deleted", "deleted-before-a-crash"])
async def test_records_that_quote_a_document_go_with_it_where_the_collection_says_so(
    installation: Installation, answer: Any
) -> None:
    assert await _delete(installation, says_so=False, answer=answer) == {"r1", "r2", "r3"}
    assert await _delete(installation, says_so=True, answer=answer) == {"r2", "r3"}


async def test_with_a_collection_all_that_quote_it_go(installation: Installation) -> None:
    gone = Streamed((), 204)
    assert await _delete(installation, says_so=True, answer=gone, spec=DELETE_COLLECTION) == {"r3"}


async def test_reading_a_document_deletes_nothing(installation: Installation) -> None:
    assert await _delete(installation, says_so=True, answer={}, spec=GET_DOCUMENT) == {"r1", "r2", "r3"}


async def _noted(installation: Installation) -> list[tuple[str, str, bool]]:
    columns = deleted_documents.c
    noted = select(columns.collection, columns.document_id, columns.with_records)
    async with installation.deps.database.read() as connection:
        return [tuple(row) for row in await connection.execute(noted)]


@pytest.mark.parametrize(
    ("answer", "noted"),
    [
        (Streamed((), 204), [("a", "", False)]),
        (GONE, [("a", "", False)]),
        (PeerUnreachable("ingest"), []),
        (PeerError(409, NotReady("busy").body(None)), []),
    ],
    ids=["deleted", "deleted-before", "unreachable", "refused"],
)
async def test_a_deletion_that_fails_withholds_no_answer_from_exports(
    installation: Installation, answer: Any, noted: list[Any]
) -> None:
    assert len(await _delete(installation, says_so=False, answer=answer, spec=DELETE_COLLECTION)) == 3
    assert await _noted(installation) == noted


async def test_a_collection_that_is_gone_by_a_call_before_is_noted_by_the_next(installation: Installation) -> None:
    assert len(await _delete(installation, says_so=False, answer=GONE, spec=DELETE_COLLECTION, shown=GONE)) == 3
    assert await _noted(installation) == [("a", "", False)]


async def test_nothing_is_deleted_while_nobody_says_whether_records_go_with_it(installation: Installation) -> None:
    away = NotReady("x")
    assert len(await _delete(installation, says_so=True, answer=Streamed((), 204), shown=away)) == 3
    assert installation.ingest.asked == []
    refused = PeerError(403, NotReady("x").body(None))
    assert len(await _delete(installation, says_so=True, answer=refused, shown=refused)) == 3
    assert (len(installation.ingest.asked), await _noted(installation)) == (1, [])


async def test_a_deleted_document_is_noted_though_the_caller_has_left(installation: Installation) -> None:
    caller = Caller().at(name="a", id="d1")
    shown = {"name": "a", "embedding_model": "e", **SIZES}
    installation.retriever.answers("/v1/collections/a", shown)
    installation.ingest.answers("/v1/collections/a/documents/d1", Streamed((), 204))
    installation.ingest.may_answer.clear()
    work = Relay(lambda exchange: proxy(exchange, installation.deps, KEY, DELETE_DOCUMENT))
    answering = asyncio.create_task(work(*caller.connection))
    await installation.ingest.was_asked.wait()
    caller.left.set()
    await answering
    assert (caller.status, await _noted(installation)) == (499, [])
    installation.ingest.may_answer.set()
    await installation.deps.meter.wait_until_idle()
    assert await _noted(installation) == [("a", "d1", False)]
