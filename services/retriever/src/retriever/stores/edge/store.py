"""The embedded vector store: Qdrant Edge in this process, one shard a generation.

The engine holds the interpreter lock during each call (an exact search of 50,000 chunks 4 ms, a flush 14 ms), so
nothing long may be asked of it in this process: the index over a large generation is built by a child (see
`index_builds`). Searches of an open shard run where they are called, since a thread would change nothing for others;
what may wait for a shard or for the disk runs in threads.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import qdrant_edge as edge
import structlog

from contracts.retrieval.collections import VectorOptions
from retriever.errors import VectorEngineFailed
from retriever.stores.edge import options as edge_options
from retriever.stores.edge.index_builds import BY_DEFAULT, BuildRules, IndexBuilds
from retriever.stores.edge.options import DENSE, SPARSE
from retriever.stores.edge.shards import Shard, Shards
from retriever.stores.edge.write_groups import WriteGroups
from retriever.stores.filters import Equals, OneOf, Test, Where, Within, path_of
from retriever.stores.points import MAX_NUMBER_INDEXES, Candidate, Point, StoredPoint, number_fields
from retriever.stores.protocol import PLAIN, IndexStatus
from retriever.stores.queries import ListQuery
from retriever.text.bm25 import SparseVector
from servicekit.core.disk import DiskRoom
from servicekit.core.errors import DiskFull

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
_SCROLL = 1024
NO_SPACE = f"(os error {errno.ENOSPC})"
_REMOVED = 512
"""Points removed in one call, so that the interpreter lock is free again within some milliseconds."""


class EdgeStore:
    """`VectorStore` on Qdrant Edge."""

    def __init__(
        self,
        folder: Path,
        open_shards: int = 128,
        search_threads: int = 4,
        rules: BuildRules = BY_DEFAULT,
        reserve_bytes: int = 0,
    ) -> None:
        """Writes raise `DiskFull` where they would touch the reserve: a shard's files are mapped and have holes, and
        the system ends a process that writes into one for which there is no room. Searches need none.

        Raises `VectorStoreLocked` when another process owns the folder.
        """
        self._room = DiskRoom(folder, reserve_bytes)
        self._shards = Shards(folder, open_shards, self._room)
        self._builds = IndexBuilds(self._shards, rules)
        self._readers = ThreadPoolExecutor(search_threads, "edge-read")
        self._writers = ThreadPoolExecutor(2, "edge-write")
        self._groups = WriteGroups(self._upsert)

    async def create_generation(self, generation: str, dimensions: int, options: VectorOptions = PLAIN) -> None:
        """Make an empty generation if there is none; raises `DiskFull`."""
        await _run(self._writers, lambda: self._shards.create(generation, dimensions, options))

    async def delete_generation(self, generation: str) -> None:
        """Remove a generation and its files."""

        def drop() -> None:
            with self._builds.exclusive(generation):
                self._shards.delete(generation)

        await _run(self._writers, drop)

    async def list_generations(self) -> list[str]:
        """The names of all generations."""
        return await _run(self._readers, self._shards.names)

    async def get_index_status(self, generation: str) -> IndexStatus:
        """How many points there are and how many of them an index covers."""

        def read() -> IndexStatus:
            with self._shards.use(generation) as (engine, shard):
                points = engine.info().points_count
                indexed = max(0, points - shard.unindexed())
                return IndexStatus(points, indexed, building=self._builds.building(generation))

        return await _run(self._readers, read)

    async def upsert_points(self, generation: str, points: Sequence[Point]) -> None:
        """Write points; flushed to disk on return. Raises `DiskFull`."""
        await self._groups.write(generation, points)

    async def _upsert(self, generation: str, batches: Sequence[Sequence[Point]]) -> None:
        def write() -> None:
            self._room.check(sum(_size(point) for points in batches for point in points))
            with self._builds.write_turn(generation) as journal, self._shards.use(generation) as (engine, shard):
                try:
                    for points in batches:
                        _ensure_number_indexes(engine, shard, points)
                        engine.update(edge.UpdateOperation.upsert_points([_point(point) for point in points]))
                    engine.flush()
                finally:
                    if journal is not None:
                        journal.update(point.id for points in batches for point in points)
                self._builds.schedule(generation, shard)

        await self._builds.give_way(generation)
        await _run(self._writers, write)

    async def delete_points(self, generation: str, where: Where) -> int:
        """Remove matching points; flushed to disk on return. Raises `DiskFull` only at the end of the reserve."""

        def remove() -> int:
            self._room.check_small()
            with self._builds.write_turn(generation) as journal, self._shards.use(generation) as (engine, _):
                ids = _ids(engine, _filter(where))
                try:
                    for at in range(0, len(ids), _REMOVED):
                        engine.update(edge.UpdateOperation.delete_points(list(ids[at : at + _REMOVED])))
                    if ids:
                        engine.flush()
                finally:
                    if journal is not None:
                        journal.update(ids)
                return len(ids)

        await self._builds.give_way(generation)
        return await _run(self._writers, remove)

    async def count_points(self, generation: str, where: Where) -> int:
        """How many points match."""

        def count() -> int:
            with self._shards.use(generation) as (shard, _):
                return shard.count(edge.CountRequest(exact=True, filter=_filter(where)))

        return await _run(self._readers, count)

    async def nearest(
        self, generation: str, query: Sequence[float] | SparseVector, where: Where | None, limit: int
    ) -> list[Candidate]:
        """The best matching points, by score, then by id."""
        return (await self.search(generation, [ListQuery(query, where, limit)]))[0]

    async def search(self, generation: str, wanted: Sequence[ListQuery | None]) -> list[list[Candidate]]:
        """Several lists in one call to the engine."""

        def search(engine: edge.EdgeShard, shard: Shard) -> list[list[Candidate]]:
            if not shard.considered:  # opened just now: a build may have been cut off by the last end
                shard.considered = True
                self._builds.schedule(generation, shard)
            return _search(engine, shard, wanted)

        return await self._read(generation, search)

    async def get_vectors_by_hash(
        self, generation: str, where: Where, hashes: Collection[str]
    ) -> dict[str, list[float]]:
        """The dense vectors of matching points by content hash."""
        condition = _filter(Where(must=(where, Equals("hash", tuple(hashes)))))

        def read() -> dict[str, list[float]]:
            with self._shards.use(generation) as (shard, _):
                records = _scroll(shard, condition, ["hash"], [DENSE])
                return {record.payload["hash"]: record.vector[DENSE] for record in records}  # type: ignore[index,call-overload,misc]

        return await _run(self._readers, read)

    async def get_points(self, generation: str, ids: Sequence[str]) -> dict[str, StoredPoint]:
        """The points with these ids that exist."""

        def read(engine: edge.EdgeShard, _: Shard) -> dict[str, StoredPoint]:
            records = engine.retrieve(list(ids), with_payload=True, with_vector=False)
            return {name: StoredPoint(name, record.payload or {}) for record in records for name in (str(record.id),)}

        return await self._read(generation, read)

    async def get_vectors(self, generation: str, ids: Sequence[str]) -> dict[str, list[float]]:
        """The dense vectors of the points with these ids that exist."""

        def read(engine: edge.EdgeShard, _: Shard) -> dict[str, list[float]]:
            records = engine.retrieve(list(ids), with_payload=False, with_vector=[DENSE])
            return {str(record.id): record.vector[DENSE] for record in records}  # type: ignore[call-overload,index,misc]

        return await self._read(generation, read)

    async def _read(self, generation: str, work: Callable[[edge.EdgeShard, Shard], Result]) -> Result:
        """Read a shard: at once if it is open, since a thread would hold all others up as long, and cost two hops
        between threads, each of which waits for the interpreter lock behind other searches; else in a thread.
        """
        with self._shards.use_open(generation) as opened, _engine_failures():
            if opened is not None:
                return work(*opened)

        def read() -> Result:
            with self._shards.use(generation) as (engine, shard):
                return work(engine, shard)

        return await _run(self._readers, read)

    async def close(self) -> None:
        """Close all shards and give the folder up."""
        await self._groups.close()
        await asyncio.to_thread(self._builds.close)
        await asyncio.to_thread(self._shards.close)
        self._readers.shutdown()
        self._writers.shutdown()


async def _run(pool: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    with _engine_failures():
        return await asyncio.get_running_loop().run_in_executor(pool, work)


@contextmanager
def _engine_failures() -> Iterator[None]:
    """The engine's panics as `VectorEngineFailed`, and what it says of a full disk as `DiskFull`."""
    try:
        yield
    except BaseException as error:
        if type(error) is Exception and NO_SPACE in str(error):  # the engine has no class for it
            raise DiskFull from error
        if type(error).__name__ != "PanicException":  # the engine's own class, which it does not export
            raise
        log.exception("vector engine failed", exc_info=error)
        raise VectorEngineFailed from None


def _size(point: Point) -> int:
    """About as many bytes as a point takes on the disk, its place in the indexes included."""
    return 2 * (4 * len(point.dense) + 8 * len(point.sparse.indices) + len(str(point.payload)))


def _point(point: Point) -> edge.Point:
    vectors: dict[str, list[float] | edge.SparseVector | list[list[float]]] = {
        DENSE: point.dense,
        SPARSE: edge.SparseVector(indices=point.sparse.indices, values=point.sparse.values),
    }
    return edge.Point(id=point.id, vector=vectors, payload=point.payload)


def _query(query: Sequence[float] | SparseVector) -> edge.Query:
    if isinstance(query, SparseVector):
        return edge.Query.Nearest(edge.SparseVector(indices=query.indices, values=query.values), using=SPARSE)
    return edge.Query.Nearest(list(query), using=DENSE)


def _search(engine: edge.EdgeShard, shard: Shard, lists: Sequence[ListQuery | None]) -> list[list[Candidate]]:
    """The points of each list in order, none of one that is null; asked of the engine as one batch.

    A search of the index that its filter or depth brings to an end too early is made again with all points compared.
    """
    found: list[list[Candidate]] = [[] for _ in lists]
    asked = [(at, each) for at, each in enumerate(lists) if each is not None]
    if not asked:
        return found
    batch = edge.QueryBatchRequest([_request(shard, each) for _, each in asked])
    for (at, each), points in zip(asked, engine.query_batch(batch), strict=True):
        is_short = len(points) < each.limit and each.may_be_short and shard.indexed is not None
        all_points = engine.query(_request(shard, each, exact=True)) if is_short else points
        found[at] = sorted(map(_candidate, all_points), key=lambda found: (-found.score, found.id))
    return found


def _request(shard: Shard, asked: ListQuery, *, exact: bool = False) -> edge.QueryRequest:
    return edge.QueryRequest(
        limit=asked.limit,
        query=_query(asked.query),
        filter=None if asked.where is None else _filter(asked.where, shard),
        score_threshold=asked.least,
        params=edge_options.search(asked.limit, exact=exact or asked.is_of_these),
    )


def _candidate(found: edge.ScoredPoint) -> Candidate:
    return Candidate(str(found.id), found.score)


def _ids(shard: edge.EdgeShard, condition: edge.Filter) -> list[str]:
    return [str(record.id) for record in _scroll(shard, condition, [], [])]


def _scroll(
    shard: edge.EdgeShard, condition: edge.Filter, payload: list[str], vectors: list[str]
) -> Iterator[edge.Record]:
    offset = None
    while True:
        records, offset = shard.scroll(
            edge.ScrollRequest(
                offset=offset,
                limit=_SCROLL,
                filter=condition,
                with_payload=payload or False,
                with_vector=vectors or False,
            )
        )
        yield from records
        if offset is None:
            return


def _filter(where: Where, shard: Shard | None = None) -> edge.Filter:
    return edge.Filter(
        must=[_condition(test, shard) for test in where.must],
        should=[_condition(test, shard) for test in where.should] or None,
        must_not=[_condition(test, shard) for test in where.must_not],
    )


def _condition(test: Test, shard: Shard | None) -> edge.FieldCondition | edge.HasIdCondition | edge.Filter:
    if isinstance(test, Equals):
        return edge.FieldCondition(key=test.key, match=edge.MatchAny(list(test.values)))
    if isinstance(test, Within):
        path = path_of(test.path)
        if shard is not None and not shard.may_hold_numbers(path):
            return edge.HasIdCondition(set())
        bounds = edge.RangeFloat(gt=test.gt, gte=test.gte, lt=test.lt, lte=test.lte)
        return edge.FieldCondition(key=path, range=bounds)
    if isinstance(test, OneOf):
        return edge.HasIdCondition(set(test.ids))
    return _filter(test, shard)


def _ensure_number_indexes(engine: edge.EdgeShard, shard: Shard, points: Sequence[Point]) -> None:
    """A range over an unindexed field reads every payload (1.3 s in 50,000, on a busy machine). So a field gets its
    index when its first number arrives, which costs nothing while there are few points.
    """
    for path in sorted(number_fields(points) - shard.numbers):
        if len(shard.numbers) < MAX_NUMBER_INDEXES:
            engine.update(edge_options.number_index(path))
            shard.numbers.add(path)
