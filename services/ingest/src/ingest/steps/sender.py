"""Sending a document's batches: two are under way at once, so that the model works while one is written down.

They are entered in the ledger in their order, each only once the index has it and all before it are entered. So what is
entered is always a whole beginning of the document, and whoever goes on after a kill repeats two batches at most.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from contracts.retrieval.chunks import ChunkBatch, Committed
from ingest import metrics
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import IngestJob
from ingest.ports import Index

UNDER_WAY = 2
"""Batches of one document that are sent and not entered."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends batches of documents and enters them."""

    index: Index
    authority: Authority

    async def put(self, job: IngestJob, batch: ChunkBatch, *, whole: bool = False) -> Committed | None:
        """Have the index write a batch, whose embeddings are charged where they are made; raises what the index raises.

        A batch that is the `whole` document is committed with it; null if it was not, for whatever reason.
        """
        row = job.row
        about = (row["collection"], row["document_id"], row["revision"])
        put = self.index.put_whole if whole else self.index.put_chunks
        with job.timed("indexing"), metrics.STAGE_SECONDS.labels("indexing").time():
            indexed = await self.authority.call(job, "retriever", lambda token: put(token, *about, batch, job.layout))
        metrics.CHUNKS.labels("embedded").inc(indexed.embedded)
        metrics.CHUNKS.labels("reused").inc(indexed.reused)
        return indexed.committed


class Sending:
    """The batches of one document. At the end of the block nothing of it is under way any more.

    However the block ends, what was sent is waited for and entered; only where it is cancelled (the lease is lost, the
    worker's time is over) what is under way is given up. The earliest batch's failure is raised, at the latest at the
    end of the block; no later batch is entered then, nor sent.
    """

    def __init__(self, sender: Sender, job: IngestJob) -> None:
        self._sender = sender
        self._job = job
        self._open: deque[asyncio.Task[bool]] = deque()

    async def __aenter__(self) -> Sending:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Exception):
            await self.all_entered()
        else:
            await self._give_up(at_once=True)

    async def room(self) -> None:
        """Wait until another batch may be sent; raises the earliest failure of those before."""
        while len(self._open) >= UNDER_WAY or (self._open and self._open[0].done()):
            await self._end_of_first()

    def send(self, batch: ChunkBatch, done: Mapping[str, Any]) -> None:
        """Send a batch, there being room; `done` is what the ledger is told of the job when it is entered."""
        before = self._open[-1] if self._open else None
        self._open.append(asyncio.create_task(self._carry(batch, done, before)))

    async def all_entered(self) -> None:
        """Wait for what is under way; raises the earliest failure."""
        while self._open:
            await self._end_of_first()

    async def _end_of_first(self) -> None:
        try:
            await asyncio.wait({self._open[0]})
            self._open.popleft().result()
        except BaseException as error:
            await self._give_up(at_once=not isinstance(error, Exception))
            raise

    async def _give_up(self, *, at_once: bool) -> None:
        """Let what is left come to its end, so that what it embedded is charged; or end it `at_once`."""
        left = list(self._open)
        self._open.clear()
        for task in left if at_once else ():
            task.cancel()
        try:
            await asyncio.gather(*left, return_exceptions=True)
        except asyncio.CancelledError:  # what was waited for is cancelled with it
            await asyncio.gather(*left, return_exceptions=True)
            raise

    async def _carry(self, batch: ChunkBatch, done: Mapping[str, Any], before: asyncio.Task[bool] | None) -> bool:
        """Send a batch and enter it after the one before it; whether it was entered."""
        await self._sender.put(self._job, batch)
        if before is not None:
            await asyncio.wait({before})
            if before.exception() is not None or not before.result():
                return False
        await self._job.write(values=done, progress=True)
        return True
