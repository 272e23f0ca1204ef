from __future__ import annotations

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
from gateway.storage.tables import record_documents, records
from servicekit.core.errors import NotFound, ServiceError

KEY = Principal("k1", "acme", frozenset(("documents",)))
SIZES = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}, "created_at": "2026-11-01T00:00:00Z"}


@pytest.fixture(autouse=True)
async def _kept(installation: Installation) -> None:
    """A record for each of two documents, and one of another tenant."""
    deps = installation.deps
    for name, tenant, document in (("r1", "acme", "d1"), ("r2", "acme", "d2"), ("r3", "other", "d1")):
        source = {"collection": "a", "document_id": document, "revision": 1, "chunk_id": "c", "text": "t"}
        one = recording(deps.recorder, name, deps.clock.now(), tenant=tenant, sources=[source])
        deps.recorder.release(one.size)
        row, documents = rows_of(one)
        async with deps.database.write() as connection:
            await connection.execute(insert(records), [row])
            await connection.execute(insert(record_documents), documents)


async def _delete(installation: Installation, *, says_so: bool, answer: Any, spec: Any = DELETE_DOCUMENT) -> set[str]:
    """The records that are left."""
    shown = {"name": "a", "embedding_model": "e", **SIZES, "delete_records": says_so}
    installation.retriever.answers("/v1/collections/a", shown)
    path = "/v1/collections/a" + ("" if spec is DELETE_COLLECTION else "/documents/d1")
    installation.ingest.answers(path, answer)
    params = {"name": "a"} if spec is DELETE_COLLECTION else {"name": "a", "id": "d1"}
    with contextlib.suppress(ServiceError):
        await proxy(Caller().at(**params).exchange, installation.deps, KEY, spec)
    async with installation.deps.database.read() as connection:
        return set((await connection.execute(select(records.c.id))).scalars())


@pytest.mark.parametrize("answer", [Streamed((), 204), NotFound("gone")], ids=["deleted", "deleted-before-a-crash"])
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
