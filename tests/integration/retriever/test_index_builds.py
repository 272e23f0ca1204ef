"""The embedded store builds its index beside its work: nothing waits for it, nothing is lost, and it finds the same."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import pytest
import qdrant_edge as edge
from prometheus_client import REGISTRY
from tests.support.retriever.indexed_writer import DIMENSIONS, point_of, vector_of
from tests.support.retriever.writer_kills import kill_writers

from contracts.retrieval.collections import VectorOptions
from retriever.errors import GenerationMissing
from retriever.stores import filters
from retriever.stores.edge import index_builds
from retriever.stores.edge.index_builds import BuildRules
from retriever.stores.edge.store import EdgeStore
from retriever.stores.protocol import IndexStatus

SOON = BuildRules(points=300, share=0.25)
SECONDS = 120
LONG = 256
"""Bits of a few dozen dimensions say too little (decision record 0407)."""
KILLS = 2
"""One right after a swap, one at any moment; the chaos suite kills more."""
ALL = filters.Where(must=(filters.Within(("ordinal",), gte=0),))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EdgeStore]:
    opened = EdgeStore(tmp_path, rules=SOON)
    await opened.create_generation("g", DIMENSIONS)
    yield opened
    await opened.close()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + SECONDS
    while not await condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


async def _built(store: EdgeStore, generation: str = "g") -> IndexStatus:
    async def built() -> bool:
        status = await store.get_index_status(generation)
        return not status.building and status.indexed_points > 0

    await _until(built)
    return await store.get_index_status(generation)


async def _write(store: EdgeStore, first: int, end: int, version: int = 0) -> None:
    for at in range(first, end, 50):
        await store.upsert_points("g", [point_of(each, version) for each in range(at, min(at + 50, end))])


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def _builds(outcome: str) -> float:
    return REGISTRY.get_sample_value("groundwork_retriever_index_builds_total", {"outcome": outcome}) or 0.0


async def _recall(
    store: EdgeStore,
    numbers: range,
    where: filters.Where | None = None,
    every: int = 1,
    dimensions: int = DIMENSIONS,
) -> float:
    """How many of the ten nearest, by arithmetic, a search finds."""
    found = possible = 0
    vectors = {number: vector_of(number, dimensions) for number in numbers}
    for seed in range(20):
        query = vector_of(10**6 + seed, dimensions)
        best = sorted(numbers, key=lambda each: -sum(x * y for x, y in zip(query, vectors[each], strict=True)))
        wanted = {point_of(each).id for each in [each for each in best if each % every == 0][:10]}
        possible += len(wanted)
        found += len(wanted & {each.id for each in await store.nearest("g", query, where, 10)})
    return found / possible


async def test_a_generation_that_has_grown_gets_an_index_that_finds_the_same(store: EdgeStore) -> None:
    await _write(store, 0, 250)
    assert await store.get_index_status("g") == IndexStatus(250, 0, building=False)
    await _write(store, 250, 900)
    status = await _built(store)
    assert status.points == 900
    assert status.indexed_points >= 300
    assert await _recall(store, range(900)) >= 0.98
    for every in (100, 10):
        where = filters.Where(must=(filters.Equals("tags", (f"metadata.of{every}=0",)),))
        assert await store.count_points("g", where) == 900 // every
        assert await _recall(store, range(900), where, every) >= 0.98


async def test_an_indexed_list_ends_only_where_no_more_match(store: EdgeStore) -> None:
    await _write(store, 0, 900)
    await _built(store)
    half = filters.Where(must=(filters.Within(("ordinal",), gte=0, lt=450),))
    for where, matching in ((None, 900), (half, 450)):
        for limit in (matching - 1, matching, matching + 1):
            assert len(await store.nearest("g", vector_of(5), where, limit)) == min(limit, matching)


async def test_what_is_written_and_deleted_during_a_build_is_in_the_index_s_place(store: EdgeStore) -> None:
    await _write(store, 0, 350)
    rounds = 0
    while (await store.get_index_status("g")).indexed_points == 0:
        await store.upsert_points("g", [point_of(1000 + rounds), point_of(rounds % 300, version=rounds + 1)])
        await store.delete_points("g", filters.document(f"d{300 + rounds % 40}"))
        rounds += 1
        assert rounds < 100_000
    gone = min(rounds, 40)
    assert await store.count_points("g", ALL) == 350 + rounds - gone
    fetched = await store.get_points("g", [point_of(each).id for each in range(350)])
    assert {each.payload["ordinal"] for each in fetched.values()} == {*range(300), *range(300 + gone, 350)}
    for number in range(min(rounds, 300)):
        latest = max(each for each in range(rounds) if each % 300 == number) + 1
        assert fetched[point_of(number).id].payload["text"] == f"text {number} {latest}"
    newest = await store.nearest("g", vector_of(1000 + rounds - 1), None, 1)
    assert [each.id for each in newest] == [point_of(1000 + rounds - 1).id]


async def test_an_index_takes_its_place_beside_a_writer_that_never_pauses(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a point is written much faster than it is carried over."""
    begun, carry = threading.Event(), index_builds._carry

    def slow(source: edge.EdgeShard, target: edge.EdgeShard, ids: Iterable[str]) -> None:
        wanted = list(ids)
        time.sleep(0.002 * len(wanted) if begun.is_set() else 0.5)
        begun.set()
        carry(source, target, wanted)

    monkeypatch.setattr(index_builds, "_carry", slow)
    await _write(store, 0, 350)
    written, deadline = 350, time.monotonic() + SECONDS
    while (await store.get_index_status("g")).indexed_points == 0:
        assert time.monotonic() < deadline, "the writer was never caught up with"
        await store.upsert_points("g", [point_of(each) for each in range(written, written + 20)])
        written += 20
        if not begun.is_set():
            await asyncio.sleep(0.05)
    assert await store.count_points("g", ALL) == written


async def test_an_indexed_generation_is_as_it_was_after_a_restart(
    tmp_path: Path, open_edge: Callable[..., EdgeStore]
) -> None:
    first = open_edge(tmp_path, rules=SOON)
    await first.create_generation("g", DIMENSIONS, VectorOptions(quantization="scalar", on_disk=True))
    await _write(first, 0, 400)
    before = await _built(first)
    await _write(first, 400, 420)
    assert await first.delete_points("g", filters.document("d7")) == 1
    found = await first.nearest("g", vector_of(5), None, 20)
    await first.close()
    second = open_edge(tmp_path, rules=SOON)
    assert await second.list_generations() == ["g"]
    assert await second.nearest("g", vector_of(5), None, 20) == found
    after = await second.get_index_status("g")
    assert after.points == 419
    assert after.points - after.indexed_points == 20 + before.points - before.indexed_points
    await second.create_generation("g", DIMENSIONS)
    assert await second.count_points("g", ALL) == 419
    await second.delete_generation("g")
    assert await second.list_generations() == []
    await second.close()
    assert _names(tmp_path) == [".lock"]


async def test_it_is_built_again_when_enough_has_come_since(store: EdgeStore) -> None:
    await _write(store, 0, 300)
    first = await _built(store)
    assert first.indexed_points == 300
    await _write(store, 300, 600)

    async def again() -> bool:
        return (await store.get_index_status("g")).indexed_points == 600

    await _until(again)
    assert await _recall(store, range(600)) >= 0.98


@pytest.mark.parametrize("quantization", ["none", "scalar", "binary"])
async def test_recall_holds_with_every_way_to_keep_vectors(
    tmp_path: Path, quantization: str, open_edge: Callable[..., EdgeStore]
) -> None:
    store = open_edge(tmp_path, rules=SOON)
    options = VectorOptions.model_validate({"quantization": quantization, "on_disk": quantization != "none"})
    await store.create_generation("g", LONG, options)
    for at in range(0, 600, 50):
        await store.upsert_points("g", [point_of(each, dimensions=LONG) for each in range(at, at + 50)])
    await _built(store)
    assert await _recall(store, range(600), dimensions=LONG) >= 0.98
    await store.close()


async def test_a_generation_that_is_dropped_during_its_build_is_gone(store: EdgeStore, tmp_path: Path) -> None:
    await _write(store, 0, 300)
    assert (await store.get_index_status("g")).building
    await store.delete_generation("g")
    assert await store.list_generations() == []
    with pytest.raises(GenerationMissing):
        await store.get_index_status("g")
    assert _names(tmp_path) == [".lock"]


async def test_a_build_that_may_not_take_enough_fails_and_everything_stays_as_it_was(
    tmp_path: Path, open_edge: Callable[..., EdgeStore]
) -> None:
    failed = _builds("failed")
    store = open_edge(tmp_path, rules=BuildRules(points=300, memory_mib=8))
    await store.create_generation("g", DIMENSIONS)
    await _write(store, 0, 300)

    async def given_up() -> bool:
        return _builds("failed") == failed + 1 and not (await store.get_index_status("g")).building

    await _until(given_up)
    await _write(store, 300, 400)
    assert await store.get_index_status("g") == IndexStatus(400, 0, building=False)
    assert await _recall(store, range(400)) == 1.0
    await store.close()
    assert _names(tmp_path) == [".lock", "g"]


async def test_a_build_that_failed_is_tried_again_though_nobody_writes_any_more(
    tmp_path: Path, open_edge: Callable[..., EdgeStore]
) -> None:
    failed = _builds("failed")
    store = open_edge(tmp_path, rules=BuildRules(points=300, memory_mib=8, pause_seconds=0.1))
    await store.create_generation("g", DIMENSIONS)
    await _write(store, 0, 300)

    async def tried_again() -> bool:
        return _builds("failed") >= failed + 2

    await _until(tried_again)
    await store.close()
    assert _names(tmp_path) == [".lock", "g"]


async def test_a_child_whose_retriever_is_gone_builds_nothing(
    tmp_path: Path, open_edge: Callable[..., EdgeStore]
) -> None:
    store = open_edge(tmp_path, rules=BuildRules(points=0))
    await store.create_generation("g", DIMENSIONS)
    await store.close()
    gone = subprocess.Popen([sys.executable, "-c", ""])  # noqa: ASYNC220  # over at once
    gone.wait()
    command = [sys.executable, "-m", "retriever.stores.edge.index_worker", str(tmp_path / "g"), "4096", str(gone.pid)]
    child = subprocess.run(command, capture_output=True, text=True)  # noqa: ASYNC221
    assert child.returncode == 1
    assert "gone" in child.stderr
    assert child.stdout == ""


async def test_a_copy_that_was_not_whole_is_thrown_away(tmp_path: Path, open_edge: Callable[..., EdgeStore]) -> None:
    first = open_edge(tmp_path, rules=BuildRules(points=0))
    await first.create_generation("g", DIMENSIONS)
    await _write(first, 0, 20)
    await first.close()
    (tmp_path / "g@1").mkdir()
    (tmp_path / "g@1" / "half").touch()
    second = open_edge(tmp_path, rules=BuildRules(points=0))
    assert await second.list_generations() == ["g"]
    assert await second.count_points("g", ALL) == 20
    await second.close()
    assert _names(tmp_path) == [".lock", "g"]


async def test_kills_of_a_store_that_builds_lose_no_acknowledged_write(tmp_path: Path) -> None:
    await kill_writers(tmp_path / "store", KILLS, seed=11)
