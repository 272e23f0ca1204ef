"""The vector store on a Qdrant server or cluster, through its own client.

The client's in-memory mode implements the same calls without a server; the conformance suite runs on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import structlog
from pydantic import SecretStr
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from contracts.retrieval.collections import VectorOptions
from retriever.errors import GenerationMissing, VectorStoreUnavailable
from retriever.stores.filters import Equals, OneOf, Test, Where, Within, path_of
from retriever.stores.points import (
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    MAX_NUMBER_INDEXES,
    Candidate,
    Point,
    StoredPoint,
    number_fields,
)
from retriever.stores.protocol import PLAIN, IndexStatus
from retriever.stores.qdrant import options as qdrant_options
from retriever.stores.qdrant.options import AS_CONFIGURED, DENSE, SPARSE, Spread
from retriever.stores.queries import ListQuery
from retriever.text.bm25 import SparseVector

log = structlog.get_logger(__name__)
PREFIX = "groundwork_"
_SCROLL = 1024


class QdrantStore:
    """`VectorStore` on Qdrant's API; a generation is one collection there."""

    def __init__(self, client: AsyncQdrantClient, spread: Spread = AS_CONFIGURED, *, has_indexes: bool = True) -> None:
        """`has_indexes` is false of the in-memory mode, which warns when it is asked for one or how to use it."""
        self._client = client
        self._spread = spread
        self._has_indexes = has_indexes
        self._number_indexes: dict[str, set[str]] = {}

    @classmethod
    def connect(
        cls, url: str, api_key: SecretStr | None, seconds: float, spread: Spread = AS_CONFIGURED
    ) -> QdrantStore:
        """A store on the server at `url`."""
        key = None if api_key is None else api_key.get_secret_value()
        return cls(AsyncQdrantClient(url=url, api_key=key, timeout=round(seconds), check_compatibility=False), spread)

    @classmethod
    def in_memory(cls) -> QdrantStore:
        """A store that is gone with the process."""
        return cls(AsyncQdrantClient(location=":memory:"), has_indexes=False)

    async def create_generation(self, generation: str, dimensions: int, options: VectorOptions = PLAIN) -> None:
        """Make an empty generation if there is none, with its payload indexes."""
        name = PREFIX + generation
        async with _translated():
            if not await self._client.collection_exists(name):
                made = qdrant_options.collection(dimensions, options, self._spread)
                await self._client.create_collection(name, **made)
            if self._has_indexes:
                for field in KEYWORD_FIELDS:
                    await self._client.create_payload_index(name, field, models.PayloadSchemaType.KEYWORD, wait=True)
                for field in INTEGER_FIELDS:
                    await self._client.create_payload_index(name, field, models.PayloadSchemaType.INTEGER, wait=True)

    async def delete_generation(self, generation: str) -> None:
        """Remove a generation."""
        async with _translated():
            if await self._client.collection_exists(PREFIX + generation):
                await self._client.delete_collection(PREFIX + generation)
        self._number_indexes.pop(generation, None)

    async def list_generations(self) -> list[str]:
        """The names of all generations that are ours."""
        async with _translated():
            found = (await self._client.get_collections()).collections
        return sorted(each.name.removeprefix(PREFIX) for each in found if each.name.startswith(PREFIX))

    async def get_index_status(self, generation: str) -> IndexStatus:
        """How many points there are; the server counts their indexed vectors, of which each point has two."""
        async with _translated():
            info = await self._client.get_collection(PREFIX + generation)
        points = info.points_count or 0
        indexed = max(0, (info.indexed_vectors_count or 0) - points)
        building = info.status == models.CollectionStatus.YELLOW
        return IndexStatus(points, min(points, indexed), building=building)

    async def upsert_points(self, generation: str, points: Sequence[Point]) -> None:
        """Write points; the server has them in its log on return."""
        async with _translated():
            await self._ensure_number_indexes(generation, points)
            await self._client.upsert(PREFIX + generation, [_point(point) for point in points], wait=True)

    async def delete_points(self, generation: str, where: Where) -> int:
        """Remove matching points."""
        found = await self.count_points(generation, where)
        if found:
            async with _translated():
                selector = models.FilterSelector(filter=_filter(where))
                await self._client.delete(PREFIX + generation, selector, wait=True)
        return found

    async def count_points(self, generation: str, where: Where) -> int:
        """How many points match."""
        async with _translated():
            return (await self._client.count(PREFIX + generation, _filter(where), exact=True)).count

    async def nearest(
        self, generation: str, query: Sequence[float] | SparseVector, where: Where | None, limit: int
    ) -> list[Candidate]:
        """The best matching points, by score, then by id."""
        return (await self._search(generation, [ListQuery(query, where, limit)]))[0]

    async def search(self, generation: str, wanted: Sequence[ListQuery | None]) -> list[list[Candidate]]:
        """Several lists in one call to the server."""
        return await self._search(generation, wanted)

    async def _search(
        self, generation: str, lists: Sequence[ListQuery | None], *, exact: bool = False
    ) -> list[list[Candidate]]:
        """The points of each list in order, none of one that is null, in one call to the server.

        A search of the index that its filter or depth brings to an end too early is made again with all compared.
        """
        found: list[list[Candidate]] = [[] for _ in lists]
        asked = [(at, each) for at, each in enumerate(lists) if each is not None]
        if not asked:
            return found
        async with _translated():
            replies = await self._client.query_batch_points(
                PREFIX + generation,
                [self._request(each, exact=exact) for _, each in asked],
                consistency=self._spread.read_consistency,
            )
        for (at, each), reply in zip(asked, replies, strict=True):
            if len(reply.points) < each.limit and each.may_be_short and self._has_indexes and not exact:
                found[at] = (await self._search(generation, [each], exact=True))[0]
            else:
                found[at] = sorted(map(_candidate, reply.points), key=lambda found: (-found.score, found.id))
        return found

    def _request(self, asked: ListQuery, *, exact: bool) -> models.QueryRequest:
        vector, using = _query(asked.query)
        return models.QueryRequest(
            query=vector,
            using=using,
            filter=None if asked.where is None else _filter(asked.where),
            limit=asked.limit,
            score_threshold=asked.least,
            with_payload=False,
            params=qdrant_options.search(asked.limit, exact=exact or asked.is_of_these) if self._has_indexes else None,
        )

    async def get_vectors_by_hash(
        self, generation: str, where: Where, hashes: Collection[str]
    ) -> dict[str, list[float]]:
        """The dense vectors of matching points by content hash."""
        condition = _filter(Where(must=(where, Equals("hash", tuple(hashes)))))
        found: dict[str, list[float]] = {}
        offset = None
        while True:
            async with _translated():
                records, offset = await self._client.scroll(
                    PREFIX + generation,
                    condition,
                    _SCROLL,
                    offset=offset,
                    with_payload=["hash"],
                    with_vectors=[DENSE],
                    consistency=self._spread.read_consistency,
                )
            for record in records:
                assert record.payload is not None
                assert isinstance(record.vector, dict)
                found[record.payload["hash"]] = record.vector[DENSE]  # type: ignore[assignment]  # a plain vector
            if offset is None:
                return found

    async def get_points(self, generation: str, ids: Sequence[str]) -> dict[str, StoredPoint]:
        """The points with these ids that exist."""
        async with _translated():
            records = await self._client.retrieve(
                PREFIX + generation, list(ids), with_payload=True, consistency=self._spread.read_consistency
            )
        return {str(record.id): StoredPoint(str(record.id), record.payload or {}) for record in records}

    async def get_vectors(self, generation: str, ids: Sequence[str]) -> dict[str, list[float]]:
        """The dense vectors of the points with these ids that exist."""
        async with _translated():
            records = await self._client.retrieve(
                PREFIX + generation,
                list(ids),
                with_payload=False,
                with_vectors=[DENSE],
                consistency=self._spread.read_consistency,
            )
        return {str(each.id): each.vector[DENSE] for each in records if isinstance(each.vector, dict)}  # type: ignore[misc]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ensure_number_indexes(self, generation: str, points: Sequence[Point]) -> None:
        """A range over an unindexed field reads every payload, so a field gets its index with its first number."""
        if not self._has_indexes:
            return
        known = self._number_indexes.setdefault(generation, set())
        for path in sorted(number_fields(points) - known):
            if len(known) < MAX_NUMBER_INDEXES:
                await self._client.create_payload_index(
                    PREFIX + generation, path, models.PayloadSchemaType.FLOAT, wait=True
                )
                known.add(path)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """The client's errors as ours."""
    try:
        yield
    except UnexpectedResponse as error:
        if error.status_code == 404:
            raise GenerationMissing from None
        log.warning("vector store refused", status=error.status_code, error=str(error)[:500])
        raise VectorStoreUnavailable from None
    except (ResponseHandlingException, ApiException) as error:
        log.warning("vector store unreachable", error=repr(error)[:500])
        raise VectorStoreUnavailable from None
    except ValueError as error:
        if "not found" in str(error):  # the in-memory mode's word for a missing collection
            raise GenerationMissing from None
        raise


def _point(point: Point) -> models.PointStruct:
    sparse = models.SparseVector(indices=point.sparse.indices, values=point.sparse.values)
    return models.PointStruct(id=point.id, vector={DENSE: point.dense, SPARSE: sparse}, payload=point.payload)


def _query(query: Sequence[float] | SparseVector) -> tuple[models.SparseVector | list[float], str]:
    if isinstance(query, SparseVector):
        return models.SparseVector(indices=query.indices, values=query.values), SPARSE
    return list(query), DENSE


def _candidate(found: models.ScoredPoint) -> Candidate:
    return Candidate(str(found.id), found.score)


def _filter(where: Where) -> models.Filter:
    return models.Filter(
        must=[_condition(test) for test in where.must],
        should=[_condition(test) for test in where.should] or None,
        must_not=[_condition(test) for test in where.must_not],
    )


def _condition(test: Test) -> models.Condition:
    if isinstance(test, Equals):
        return models.FieldCondition(key=test.key, match=models.MatchAny(any=list(test.values)))
    if isinstance(test, Within):
        bounds = models.Range(gt=test.gt, gte=test.gte, lt=test.lt, lte=test.lte)
        return models.FieldCondition(key=path_of(test.path), range=bounds)
    if isinstance(test, OneOf):
        return models.HasIdCondition(has_id=list(test.ids))
    return _filter(test)
