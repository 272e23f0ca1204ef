"""Load on a server of embeddings: bulk from many clients, queries one after another, and what its memory does."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import aiohttp

from benchmarks.inference.embedding_loop import WARM
from benchmarks.inference.embedding_servers import EmbeddingServer

BULK_CLIENTS = 8
TEXTS_A_CALL = 32
QUERIES = 150
SAMPLE_SECONDS = 1.0


@dataclass
class Queries:
    """Milliseconds of queries, and how many calls of any kind failed."""

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0

    def quantile(self, share: float) -> float:
        """The nearest-rank quantile."""
        ranked = sorted(self.milliseconds)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


async def bulk_rate(server: EmbeddingServer, texts: Sequence[str]) -> float:
    """Texts a second, with eight clients that send the next 32 as soon as the last are answered."""
    parts = iter(_parts(texts))
    async with _session(server) as session:
        first = iter(_parts(texts[:WARM]))
        await asyncio.gather(*(_work_off(session, server, first) for _ in range(BULK_CLIENTS)))
        began = time.perf_counter()
        await asyncio.gather(*(_work_off(session, server, parts) for _ in range(BULK_CLIENTS)))
        return len(texts) / (time.perf_counter() - began)


async def query_times(server: EmbeddingServer, texts: Sequence[str], *, beside_bulk: bool) -> Queries:
    """Queries one after another, alone or while eight clients keep the server full."""
    queries = Queries()
    async with _session(server) as session:
        load = [asyncio.create_task(_for_ever(session, server, texts, queries)) for _ in range(BULK_CLIENTS)]
        if beside_bulk:
            await asyncio.sleep(2)
        else:
            await _cancel(load)
        for number in range(QUERIES):
            began = time.perf_counter()
            queries.failed += not await _call(session, server, [f"What does section {number} say about it?"], "query")
            queries.milliseconds.append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(0.02)
        await _cancel(load)
    return queries


async def memory(server: EmbeddingServer, texts: Sequence[str], minutes: float) -> tuple[list[int], Queries]:
    """Bytes in memory each second under bulk and queries, and the queries' times."""
    queries, resident = Queries(), [server.resident()]
    async with _session(server) as session:
        load = [asyncio.create_task(_for_ever(session, server, texts, queries)) for _ in range(BULK_CLIENTS)]
        deadline = time.monotonic() + minutes * 60
        while time.monotonic() < deadline:
            began = time.perf_counter()
            queries.failed += not await _call(session, server, ["Is it still as it was?"], "query")
            queries.milliseconds.append((time.perf_counter() - began) * 1e3)
            resident.append(server.resident())
            await asyncio.sleep(SAMPLE_SECONDS)
        await _cancel(load)
    return resident, queries


def _session(server: EmbeddingServer) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=300)
    return aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=dict(server.headers), timeout=timeout)


def _parts(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[at : at + TEXTS_A_CALL] for at in range(0, len(texts), TEXTS_A_CALL)]


async def _work_off(session: aiohttp.ClientSession, server: EmbeddingServer, parts: Iterator[Sequence[str]]) -> None:
    for part in parts:
        if not await _call(session, server, part, "bulk"):
            raise RuntimeError(f"{server.name} refused bulk")


async def _for_ever(
    session: aiohttp.ClientSession, server: EmbeddingServer, texts: Sequence[str], counted: Queries
) -> None:
    for part in itertools.cycle(_parts(texts)):
        counted.failed += not await _call(session, server, part, "bulk")


async def _call(session: aiohttp.ClientSession, server: EmbeddingServer, texts: Sequence[str], priority: str) -> bool:
    async with session.post(server.path, json=server.body(list(texts), priority)) as reply:
        await reply.read()
        return reply.status == 200


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
