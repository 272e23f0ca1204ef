"""Kills a retriever again and again while it indexes, reindexes and is searched, and looks at what comes back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from tests.support.retriever.process import RetrieverProcess
from tests.support.retriever.service import Tokens, hashed_inference, served
from tests.support.retriever.traffic import Ledger, Reindexer, Writer, check_whole, checked, search_on

from retriever.stores import filters
from retriever.stores.edge.store import EdgeStore
from retriever.testing.hashed_embedder import HashedEmbedder

WRITERS, SEARCHERS, DOCUMENTS = 3, 2, 4
EARLY = 7
"""Of so many kills one more comes while the retriever starts."""
COLLECTIONS = ("a", "b")
MORE = 10
"""Kills at most for what the last one missed: an index that was there is gone once a reindex is done, which may be in
the very moment of the kill."""
WORK_SECONDS = 120
END_SECONDS = 60


def _work_until_killed(
    retriever: RetrieverProcess,
    ledger: Ledger,
    workers: Sequence[Writer | Reindexer],
    chance: random.Random,
    *,
    in_a_build: bool,
    until: Callable[[], bool] = lambda: True,
) -> None:
    """Writers, a reindexer and searchers at once, and `kill -9` in the middle: some writes and searches on and `until`
    is true, and moments more, or while an index is built.
    """
    over, enough, searched = Event(), ledger.writes + chance.randrange(12), ledger.searches + 2 * SEARCHERS
    with ExitStack() as stack:
        clients = [stack.enter_context(retriever.client()) for _ in range(len(workers) + SEARCHERS)]
        pool = stack.enter_context(ThreadPoolExecutor(len(clients)))
        stack.callback(over.set)  # whatever fails here, nobody works on
        work = [pool.submit(worker.run, client, over) for worker, client in zip(workers, clients, strict=False)]
        seeds = [chance.random() for _ in range(SEARCHERS)]
        readers = zip(seeds, clients[len(workers) :], strict=True)
        work += [pool.submit(search_on, client, ledger, over, random.Random(each)) for each, client in readers]
        deadline = time.monotonic() + WORK_SECONDS
        while ledger.writes < enough or ledger.searches < searched or not until():
            if over.wait(0.002) or time.monotonic() > deadline:  # then what came of it says why
                break
        while in_a_build and not retriever.children() and not over.wait(0.002) and time.monotonic() < deadline:
            pass
        ledger.builds += bool(retriever.children())
        over.wait(chance.uniform(0, 0.1))
        retriever.kill()
        _check_alone(retriever)
        ledger.indexed += _indexed(retriever)
        for future in work:
            future.result()


def _indexed(retriever: RetrieverProcess) -> bool:
    """Whether an index has come to its place."""
    return any((retriever.data / "vectors").glob("col_*/.whole"))


def _check_alone(retriever: RetrieverProcess) -> None:
    """What a dead retriever had building an index dies with it."""
    deadline = time.monotonic() + END_SECONDS
    while retriever.children():
        assert time.monotonic() < deadline, "a process builds an index for a retriever that is dead"
        Event().wait(0.01)


def _kill_while_it_starts(retriever: RetrieverProcess, chance: random.Random) -> None:
    retriever.start()
    Event().wait(chance.uniform(0.5, 2.5))
    retriever.kill()
    _check_alone(retriever)


async def _points(retriever: RetrieverProcess) -> int:
    """All points of all collections that lie in the store, seen or not."""
    store = EdgeStore(retriever.data / "vectors")
    try:
        everything = filters.Where(must=(filters.Within(("ordinal",), gte=0),))
        names = [name for name in await store.list_generations() if name.startswith("col_")]
        assert len(names) == len(COLLECTIONS)
        counted = sum([await store.count_points(name, everything) for name in names])
    finally:
        await store.close()
    left = {each.name.partition("@")[0] for each in (retriever.data / "vectors").iterdir()}
    assert left == {*names, "readiness", ".lock"}, "something is left of a build or a reindex"
    return counted


async def survive(
    folder: Path, kills: int, seed: int, settings: Mapping[str, str] | None = None, *, in_builds: int = 0
) -> Ledger:
    """Kill a retriever, which runs with these settings, so many times, `in_builds` of them while an index is built.

    After each it must hold every write that it acknowledged, and none by half; at the end its store holds exactly the
    points of the documents, also after the reindexes that were cut off. The last kill waits for what chance has not
    brought before: a reindex that was done and, where some are `in_builds`, an index that was; it is done again, up to
    `MORE` times, where that was gone by then.
    """
    ledger, chance = Ledger(), random.Random(seed)
    writers = [
        Writer(
            ledger, COLLECTIONS[at % 2], [f"d{at}-{number}" for number in range(DOCUMENTS)], random.Random(at + seed)
        )
        for at in range(WRITERS)
    ]
    reindexer = Reindexer(ledger, COLLECTIONS[0])

    def all_seen() -> bool:
        return ledger.flips > 0 and (not in_builds or ledger.indexed > 0 or _indexed(retriever))

    early = set(chance.sample(range(kills), kills // EARLY))
    building = set(chance.sample(range(kills), in_builds))
    with served(hashed_inference(HashedEmbedder())) as inference:
        retriever = RetrieverProcess(folder, Tokens(folder), inference, settings or {})
        try:
            for kill in range(kills + MORE):
                if kill >= kills and ledger.flips > 0 and (not in_builds or ledger.indexed > 0):
                    break
                if kill in early:
                    _kill_while_it_starts(retriever, chance)
                retriever.start()
                retriever.wait_ready()
                with retriever.client() as client:
                    if kill == 0:
                        for name in COLLECTIONS:
                            checked(client.post("/v1/collections", json={"name": name}))
                    check_whole(client, ledger)
                _work_until_killed(
                    retriever,
                    ledger,
                    [*writers, reindexer],
                    chance,
                    in_a_build=kill in building,
                    until=all_seen if kill >= kills - 1 else lambda: True,
                )
            retriever.start()
            retriever.wait_ready()
            with retriever.client() as client:
                check_whole(client, ledger)
                for worker in (*writers, reindexer):
                    worker.resume(client)
                check_whole(client, ledger)
        finally:
            retriever.kill()
    assert await _points(retriever) == sum(len(state.texts) for state in ledger.states.values())
    return ledger
