"""A retriever that is killed at any moment comes back with every write that it acknowledged, none half done."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from tests.support.retriever import Tokens, hashed_inference, served
from tests.support.retriever_process import RetrieverProcess
from tests.support.retriever_traffic import Ledger, Writer, check_whole, checked, search_on

from retriever import filters
from retriever.adapters.edge import EdgeStore
from retriever.adapters.hashed import HashedEmbedder

KILLS, EARLY_KILLS = 20, 3
WRITERS, SEARCHERS, DOCUMENTS = 3, 2, 4
COLLECTIONS = ("a", "b")
WORK_SECONDS = 30


def _work_until_killed(
    retriever: RetrieverProcess, ledger: Ledger, writers: list[Writer], chance: random.Random
) -> None:
    """Writers and searchers at once, and `kill -9` in the middle of it: some writes on, and some moments more."""
    over, enough = Event(), ledger.writes + chance.randrange(12)
    clients = [retriever.client() for _ in range(WRITERS + SEARCHERS)]
    with ThreadPoolExecutor(WRITERS + SEARCHERS) as pool:
        work = [pool.submit(writer.run, client, over) for writer, client in zip(writers, clients, strict=False)]
        work += [
            pool.submit(search_on, client, ledger, over, random.Random(chance.random())) for client in clients[WRITERS:]
        ]
        deadline = time.monotonic() + WORK_SECONDS
        while ledger.writes < enough and not over.wait(0.002) and time.monotonic() < deadline:
            pass
        over.wait(chance.uniform(0, 0.1))
        retriever.kill()
        for future in work:
            future.result()
    for client in clients:
        client.close()


def _kill_while_it_starts(retriever: RetrieverProcess, chance: random.Random) -> None:
    retriever.start()
    Event().wait(chance.uniform(0.5, 2.5))
    retriever.kill()


async def _points(retriever: RetrieverProcess) -> int:
    """All points of all collections that lie in the store, seen or not."""
    store = EdgeStore(retriever.data / "vectors")
    everything = filters.Where(must=(filters.Within(("ordinal",), gte=0),))
    names = [name for name in await store.generations() if name.startswith("col_")]
    assert len(names) == len(COLLECTIONS)
    counted = sum([await store.count(name, everything) for name in names])
    await store.close()
    return counted


async def test_every_acknowledged_write_survives_kills_at_random_moments(tmp_path: Path) -> None:
    ledger, chance = Ledger(), random.Random(7)
    writers = [
        Writer(ledger, COLLECTIONS[at % 2], [f"d{at}-{number}" for number in range(DOCUMENTS)], random.Random(at))
        for at in range(WRITERS)
    ]
    early = set(chance.sample(range(KILLS), EARLY_KILLS))
    with served(hashed_inference(HashedEmbedder())) as inference:
        retriever = RetrieverProcess(tmp_path, Tokens(tmp_path), inference)
        try:
            for kill in range(KILLS + 1):
                if kill in early:
                    _kill_while_it_starts(retriever, chance)
                retriever.start()
                retriever.wait_ready()
                with retriever.client() as client:
                    if kill == 0:
                        for name in COLLECTIONS:
                            checked(client.post("/v1/collections", json={"name": name}))
                    check_whole(client, ledger)
                    if kill == KILLS:
                        for writer in writers:
                            writer.resume(client)
                        check_whole(client, ledger)
                        break
                _work_until_killed(retriever, ledger, writers, chance)
        finally:
            retriever.kill()
    assert ledger.writes > 2 * KILLS
    assert await _points(retriever) == sum(len(state.texts) for state in ledger.states.values())
