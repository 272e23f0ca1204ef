"""Two batches of a document are under way at once, and what is entered is always a whole beginning of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from contracts.retrieval.chunks import BatchIndexed, ChunkBatch
from extraction.model.document import START, Builder, Extracted, Resume
from extraction.model.failures import malformed
from extraction.sandbox.extractor import SandboxedExtractor
from ingest.jobs import service as jobs
from ingest.tables import JOBS
from servicekit.peers.client import PeerUnreachable

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

TEXT = "\n\n".join(f"Paragraph {number}. " + "the word and the price " * 30 for number in range(10))
SECONDS = 60.0


@dataclass
class Gate:
    """Holds every batch on its way until it is let through; by first ordinals."""

    service: Service
    on_the_way: list[int] = field(default_factory=list)
    most: int = 0
    """Batches that were on their way at once."""
    failing: dict[int, Exception] = field(default_factory=dict)
    _now: set[int] = field(default_factory=set)
    _open: defaultdict[int, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def install(self, patch: pytest.MonkeyPatch) -> Gate:
        original = self.service.index.put_chunks

        async def put(
            token: str, collection: str, document: str, revision: int, batch: ChunkBatch, layout: int
        ) -> BatchIndexed:
            first = batch.chunks[0].ordinal
            self.on_the_way.append(first)
            self._now.add(first)
            self.most = max(self.most, len(self._now))
            try:
                await self._open[first].wait()
                if first in self.failing:
                    raise self.failing.pop(first)
                return await original(token, collection, document, revision, batch, layout)
            finally:
                self._now.remove(first)

        patch.setattr(self.service.index, "put_chunks", put)
        return self

    def let(self, *firsts: int) -> None:
        for first in firsts:
            self._open[first].set()

    def let_all(self) -> None:
        self.let(*range(0, 1000, 2))

    async def until_on_the_way(self, *firsts: int) -> None:
        await until(lambda: set(firsts) <= set(self.on_the_way))

    async def until_written(self, *firsts: int) -> None:
        await until(lambda: set(firsts) <= {first for _, _, first in self.service.index.batches})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  # what is waited for is no event
            await asyncio.sleep(0.001)


async def chunks_done(service: Service) -> int:
    async with service.database.read() as connection:
        done = select(JOBS.c.chunks_done).where(JOBS.c.kind == "document")
        return int((await connection.execute(done)).scalar_one())


async def cancel(service: Service, job_id: str) -> None:
    async with service.database.write() as connection:
        row = await jobs.get_job(connection, "acme", job_id)
        await jobs.cancel_job(connection, row, service.clock.now())


@pytest.fixture
def gate(service: Service, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(service).install(monkeypatch)


async def test_two_batches_of_a_document_are_under_way_and_never_more(service: Service, gate: Gate) -> None:
    await service.upload(TEXT, document_id="a")
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    gate.let(2)
    await gate.until_written(2)
    assert gate.on_the_way == [0, 2], "the third waits though the second is written: the first is still open"
    gate.let_all()
    await working
    assert gate.most == 2
    assert (await service.document("a"))["status"] == "ready"
    assert gate.on_the_way == sorted(set(gate.on_the_way)), "each was sent once"


async def test_a_batch_is_entered_only_when_all_before_it_are(service: Service, gate: Gate) -> None:
    await service.upload(TEXT, document_id="a")
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    gate.let(2)
    await gate.until_written(2)
    assert await chunks_done(service) == 0
    gate.let(0)
    await gate.until_on_the_way(4)
    assert await chunks_done(service) in (2, 4)
    gate.let_all()
    await working
    found = service.index.found("handbook", "a")
    assert await chunks_done(service) == len(found) == (await service.document("a"))["chunks"]


async def test_a_kill_repeats_at_most_the_two_batches_that_were_open(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_until_killed(lambda batch: batch.chunks[0].ordinal == 6, monkeypatch)
    entered, sent = await chunks_done(service), {first for _, _, first in service.index.batches}
    assert entered in (4, 6), "all but the batch on its way and one other are entered"
    service.clock.advance(31)
    await service.work_all()
    firsts = [first for _, _, first in service.index.batches]
    assert {first for first in sent if firsts.count(first) > 1} == {first for first in sent if first >= entered}
    found = service.index.found("handbook", "a")
    assert [chunk.ordinal for chunk in found] == list(range(len(found)))
    text = await service.text("a")
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)


async def test_what_was_written_behind_a_failed_batch_is_not_entered(service: Service, gate: Gate) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    gate.failing[0] = PeerUnreachable("retriever")
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    gate.let(0)
    await until(lambda: 0 not in gate._now)
    assert not working.done(), "it waits for what is under way"
    gate.let(2)
    await working
    job = await service.job(accepted.job["id"])
    assert (job.status, job.waiting_on, job.attempts) == ("queued", "retriever", 0)
    assert (await chunks_done(service), gate.on_the_way) == (0, [0, 2])
    gate.let_all()
    service.clock.advance(31)
    await service.work_all()
    found = service.index.found("handbook", "a")
    assert [chunk.ordinal for chunk in found] == list(range(len(found)))


async def test_the_earliest_failure_decides_and_later_ones_do_not_overtake_it(service: Service, gate: Gate) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    gate.failing[2] = PeerUnreachable("inference")
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    gate.let(2)
    await until(lambda: 2 not in gate._now)
    assert not working.done(), "the one before is under way"
    gate.let(0)
    await working
    job = await service.job(accepted.job["id"])
    assert (job.status, await chunks_done(service)) == ("queued", 2), "what came before the failure is entered"


async def test_a_parsers_failure_waits_until_what_is_sent_is_entered(
    service: Service, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def parts(
        self: SandboxedExtractor, source: Path, media_type: str, resume: Resume = START
    ) -> AsyncGenerator[Extracted, None]:
        builder = Builder()
        builder.block("paragraph", TEXT[:1200], 1)
        part = builder.finish("Book", 2)
        yield Extracted(part.text, part.blocks, "Book", 2, 1, 0.5, {})
        failed.set()
        raise malformed("document")

    monkeypatch.setattr(SandboxedExtractor, "parts", parts)
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0)
    await failed.wait()
    assert not working.done()
    gate.let_all()
    await working
    job = await service.job(accepted.job["id"])
    assert (job.status, job.error and job.error.code) == ("failed", "malformed")
    assert await chunks_done(service) > gate.on_the_way[-1], "all that was sent is entered"
    await service.work_all()
    assert service.index.found("handbook", "a") == [], "half a document is not found"


async def test_nothing_of_a_document_that_is_cancelled_with_two_batches_under_way_is_found(
    service: Service, gate: Gate
) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    gate.let_all()
    await working
    assert gate.on_the_way == [0, 2], "nothing more was sent"
    await service.work_all()
    assert service.index.found("handbook", "a") == []


async def test_a_cancelled_job_enters_nothing_and_sends_nothing_more(service: Service, gate: Gate) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    await cancel(service, accepted.job["id"])
    gate.let_all()
    await working
    assert (await service.job(accepted.job["id"])).status == "cancelled"
    assert (gate.on_the_way, await chunks_done(service)) == ([0, 2], 0)


async def test_a_stopping_worker_enters_both_batches_that_are_under_way(service: Service, gate: Gate) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    stopping = asyncio.Event()
    working = asyncio.create_task(service.work(stopping=stopping))
    await gate.until_on_the_way(0, 2)
    stopping.set()
    gate.let(2, 0)
    await working
    job = await service.job(accepted.job["id"])
    assert (job.status, job.attempts, await chunks_done(service), gate.on_the_way) == ("queued", 0, 4, [0, 2])


async def test_a_lost_lease_gives_up_what_is_under_way_and_changes_nothing(
    service: Service, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    monkeypatch.setattr("servicekit.jobs.runner.BEATS", 3000)  # a heartbeat each 10 ms
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    successor = None
    async with asyncio.timeout(SECONDS):
        while successor is None:  # a heartbeat may come first, which renews the lease
            service.clock.advance(31)
            successor = await service.worker.queue.claim("successor")
    async with asyncio.timeout(SECONDS):
        await working  # though no batch was let through
    assert (gate._now, await chunks_done(service)) == (set(), 0)
    gate.let_all()
    await service.worker.runner.run(successor, asyncio.Event())
    assert (await service.document("a"))["status"] == "ready"


async def test_time_that_two_batches_share_counts_once(service: Service, gate: Gate) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    began = asyncio.get_running_loop().time()
    working = asyncio.create_task(service.work())
    await gate.until_on_the_way(0, 2)
    await asyncio.sleep(0.2)
    gate.let_all()
    await working
    took = (asyncio.get_running_loop().time() - began) * 1000
    job = await service.job(accepted.job["id"])
    assert 200 <= job.timings["indexing"] <= took
